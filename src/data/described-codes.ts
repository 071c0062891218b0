/** Pictures as codes with captions and questions, as JSON lines: what language models learn to see and draw from. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { reason } from "../base/one-line.ts";
import { CODES_PER_IMAGE, type Codes } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";
import { makeFolder, writeFileAtomic } from "../io/files.ts";
import { parseWith } from "../io/json-file.ts";
import { fileLines } from "../io/lines.ts";
import type { SceneSource } from "./scenes.ts";

export interface DescribedCodes {
  readonly codes: Codes;
  readonly caption: string;
  readonly questions: readonly { readonly question: string; readonly answer: string }[];
}

const MAX_TEXT = 10_000;
const MAX_LINE = 1_000_000;
const text = z.string().max(MAX_TEXT);

const parseLine = parseWith(
  z.object({
    codes: z.array(z.int().min(0).max(8191)).length(CODES_PER_IMAGE),
    caption: text.min(1),
    questions: z
      .array(z.object({ question: text, answer: text }))
      .max(100)
      .default([]),
  }),
);

/** Writes one shard, whole or not at all. */
export function writeDescribedCodes(path: string, rows: readonly DescribedCodes[]): Promise<void> {
  const line = ({ codes, caption, questions }: DescribedCodes): string =>
    JSON.stringify({
      codes,
      caption,
      questions: questions.map(({ question, answer }) => ({ question, answer })),
    });
  return writeFileAtomic(path, `${rows.map(line).join("\n")}\n`);
}

/**
 * The rows of one file.
 * @throws InputError naming the first line that is damaged or has a code outside of the codebook, or if the file is missing.
 */
export async function readDescribedCodes(path: string, codebookSize: number): Promise<DescribedCodes[]> {
  const rows: DescribedCodes[] = [];
  for await (const { line, number } of fileLines(path, MAX_LINE)) {
    if (line.trim() === "") continue;
    const where = `${path}:${number}`;
    const row = parseLine(parsed(line, where), where);
    const outside = row.codes.find((code) => code >= codebookSize);
    if (outside !== undefined)
      throw new InputError(`${where}: expected codes 0..${codebookSize - 1}, got ${outside}. Use the same tokenizer.`);
    rows.push(row);
  }
  return rows;
}

function parsed(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new InputError(`${where}: expected a JSON object a line (${reason(error)}).`);
  }
}

export interface CodeShardsOptions {
  readonly folder: string;
  readonly count: number;
  readonly codebookSize: number;
  /** Rows start..start+size. */
  readonly make: (start: number, size: number) => Promise<readonly DescribedCodes[]>;
  readonly onProgress?: (done: number, total: number) => void;
}

const SHARD = 2000;

/** All rows; shards that are not in the folder yet are made and kept there. */
export async function codeShards(options: CodeShardsOptions): Promise<DescribedCodes[]> {
  const { folder, count, codebookSize, make, onProgress } = options;
  await makeFolder(folder);
  const rows: DescribedCodes[] = [];
  for (let start = 0; start < count; start += SHARD) {
    const size = Math.min(SHARD, count - start);
    const path = join(folder, `codes-${String(start / SHARD).padStart(5, "0")}-${size}.jsonl`);
    const known = await stat(path).catch(() => undefined);
    if (!known) await writeDescribedCodes(path, await make(start, size));
    for (const row of await readDescribedCodes(path, codebookSize)) rows.push(row);
    onProgress?.(rows.length, count);
  }
  return rows;
}

/** All lines of the .jsonl files of a folder, by name. @throws InputError if there is none. */
export async function readCodeFolder(folder: string, codebookSize: number): Promise<DescribedCodes[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".jsonl")).sort();
  if (names.length === 0) throw new InputError(`${folder}: expected .jsonl files with codes and captions, found none.`);
  const rows: DescribedCodes[] = [];
  for (const name of names)
    for (const row of await readDescribedCodes(join(folder, name), codebookSize)) rows.push(row);
  return rows;
}

const CHUNK = 100;

/** Codes and texts of scenes start..start+count. @param encode pictures to 32 codes each */
export async function describedScenes(
  encode: (images: readonly RgbImage[]) => Promise<readonly { readonly codes: ArrayLike<number> }[]>,
  source: SceneSource,
  start: number,
  count: number,
): Promise<DescribedCodes[]> {
  const out: DescribedCodes[] = [];
  for (let at = start; at < start + count; at += CHUNK) {
    const scenes = Array.from({ length: Math.min(CHUNK, start + count - at) }, (_, i) => source.scene(at + i));
    const codes = await encode(scenes.map(({ pixels, size }) => ({ width: size, height: size, data: pixels })));
    for (const [i, { caption, questions }] of scenes.entries())
      out.push({ codes: Array.from(item(codes, i).codes), caption, questions });
  }
  return out;
}
