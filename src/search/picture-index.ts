/**
 * An index of pictures on disk: `index.json` (what it was made with), `pictures.jsonl` (a line each: path, size,
 * modification time), `codes.bin` (52 bytes each) and `embeddings.bin` (int8 rows with a float32 scale before each).
 */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { type Codes, PACKED_BYTES, packCodes, unpackCodes } from "../codes/index.ts";
import { exists, readFileBounded, writeFileAtomic } from "../io/files.ts";
import { parseWith, readJsonFile } from "../io/json-file.ts";
import { join } from "../io/paths.ts";

export interface IndexedPicture {
  readonly path: string;
  readonly sizeBytes: number;
  /** Modification time, ms. */
  readonly changedMs: number;
}

export interface PictureIndex {
  /** Hash of the codebook of the model that made it. */
  readonly codebook: string;
  /** Name or folder of that model, for messages. */
  readonly model: string;
  /** Numbers of an embedding. */
  readonly width: number;
  readonly pictures: readonly IndexedPicture[];
  /** `PACKED_BYTES` each. */
  readonly codes: Uint8Array;
  /** [pictures, width]: unit vectors divided by their scale. */
  readonly embeddings: Int8Array;
  /** The scale of each row. */
  readonly scales: Float32Array;
}

/** What is in the folder. */
export const FLAT_NAMES: readonly string[] = ["index.json", "pictures.jsonl", "codes.bin", "embeddings.bin"];
const FORMAT = "seedling-index-1";
/** Numbers of an embedding. */
export const MAX_WIDTH = 4096;
const [MAX_PICTURES, MAX_PATH, MAX_LINE] = [5_000_000, 4096, 8192];
const parseHeader = parseWith(
  z.strictObject({
    format: z.literal(FORMAT),
    codebook: z.string().max(64),
    model: z.string().max(500),
    width: z.int().min(1).max(MAX_WIDTH),
    pictures: z.int().min(0).max(MAX_PICTURES),
  }),
);
const parsePicture = parseWith(
  z.strictObject({ path: z.string().max(MAX_PATH), sizeBytes: z.number(), changedMs: z.number() }),
);

/** A unit vector as int8 with one scale. The largest number becomes 127, so dot products are off by some 0.3 %. */
export function toInt8(vector: Float32Array): { readonly row: Int8Array; readonly scale: number } {
  let most = 0;
  for (let i = 0; i < vector.length; i++) most = Math.max(most, Math.abs(vector[i] as number));
  const scale = most / 127 || 1;
  const row = new Int8Array(vector.length);
  for (let i = 0; i < row.length; i++) row[i] = Math.round((vector[i] as number) / scale);
  return { row, scale };
}

export function codesOf(index: PictureIndex, i: number): Codes {
  const packed = index.codes.subarray(i * PACKED_BYTES, (i + 1) * PACKED_BYTES);
  const [codes = []] = unpackCodes(packed, "codes.bin");
  return codes;
}

export function rowOf({ embeddings, width }: PictureIndex, i: number): Int8Array {
  return embeddings.subarray(i * width, (i + 1) * width);
}

/** An index of rows. */
export function makeIndex(
  about: Pick<PictureIndex, "codebook" | "model" | "width">,
  entries: readonly {
    readonly picture: IndexedPicture;
    readonly codes: Codes;
    readonly row: Int8Array;
    readonly scale: number;
  }[],
): PictureIndex {
  const { width } = about;
  const embeddings = new Int8Array(entries.length * width);
  for (const [i, { row }] of entries.entries()) embeddings.set(row, i * width);
  return {
    ...about,
    pictures: entries.map(({ picture }) => picture),
    codes: packCodes(entries.map(({ codes }) => codes)),
    embeddings,
    scales: Float32Array.from(entries, ({ scale }) => scale),
  };
}

/** Writes the files into a folder that exists. */
export async function writeIndex(folder: string, index: PictureIndex): Promise<void> {
  const { codebook, model, width, pictures, codes, embeddings, scales } = index;
  const rows = new Uint8Array(pictures.length * (width + 4));
  const view = new DataView(rows.buffer);
  for (let i = 0; i < pictures.length; i++) {
    view.setFloat32(i * (width + 4), scales[i] ?? 1, true);
    rows.set(new Uint8Array(embeddings.buffer, embeddings.byteOffset + i * width, width), i * (width + 4) + 4);
  }
  const lines = pictures.map((picture) => `${JSON.stringify(picture)}\n`).join("");
  const header = { format: FORMAT, codebook, model, width, pictures: pictures.length };
  await writeFileAtomic(join(folder, "index.json"), `${JSON.stringify(header, null, 2)}\n`);
  await writeFileAtomic(join(folder, "pictures.jsonl"), lines);
  await writeFileAtomic(join(folder, "codes.bin"), codes);
  await writeFileAtomic(join(folder, "embeddings.bin"), rows);
}

/** @throws SetupError if a file is missing; InputError if one is damaged or they do not belong together */
export async function readIndex(folder: string): Promise<PictureIndex> {
  const at = (name: string): string => join(folder, name);
  if (!(await exists(at("index.json"))))
    throw new InputError(`${folder}: expected an index of pictures, found none. Make one with seedling index.`);
  const {
    pictures: count,
    width,
    codebook,
    model,
  } = parseHeader(await readJsonFile(at("index.json")), at("index.json"));
  const lines = new TextDecoder().decode(await readFileBounded(at("pictures.jsonl"), count * MAX_LINE + 1)).split("\n");
  const pictures = lines
    .filter(Boolean)
    .map((line, i) => pictureOf(parseLine(line, at("pictures.jsonl"), i), at("pictures.jsonl"), i));
  const codes = await exactly(at("codes.bin"), count * PACKED_BYTES);
  const rows = await exactly(at("embeddings.bin"), count * (width + 4));
  if (pictures.length !== count)
    throw new InputError(
      `${at("pictures.jsonl")}: expected ${count} lines, got ${pictures.length}. Index the pictures again.`,
    );
  const view = new DataView(rows.buffer, rows.byteOffset);
  const embeddings = new Int8Array(count * width);
  const scales = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    scales[i] = view.getFloat32(i * (width + 4), true);
    embeddings.set(new Int8Array(rows.buffer, rows.byteOffset + i * (width + 4) + 4, width), i * width);
  }
  return { codebook, model, width, pictures, codes: Uint8Array.from(codes), embeddings, scales };
}

/** A million schema checks would take longer than everything else, so the schema is used only to explain errors. */
function pictureOf(json: unknown, file: string, i: number): IndexedPicture {
  const { path, sizeBytes, changedMs, ...others } = (json ?? {}) as Partial<IndexedPicture>;
  const isPicture = typeof path === "string" && typeof sizeBytes === "number" && typeof changedMs === "number";
  for (const _ in others) return parsePicture(json, `${file} line ${i + 1}`);
  return isPicture && path.length <= MAX_PATH
    ? { path, sizeBytes, changedMs }
    : parsePicture(json, `${file} line ${i + 1}`);
}

function parseLine(line: string, path: string, i: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new InputError(`${path} line ${i + 1}: expected JSON. Index the pictures again.`);
  }
}

async function exactly(path: string, sizeBytes: number): Promise<Uint8Array> {
  const bytes = await readFileBounded(path, sizeBytes);
  if (bytes.length === sizeBytes) return bytes;
  throw new InputError(`${path}: expected ${sizeBytes} bytes, got ${bytes.length}. Index the pictures again.`);
}
