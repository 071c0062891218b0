/** The note that a drawn PNG carries: how it was made, so that the same picture can be decoded from the file alone. */
import { z } from "zod";
import { utf8 } from "../base/bytes.ts";
import { InputError } from "../base/errors.ts";
import { show } from "../base/one-line.ts";
import { VERSION } from "../base/version.ts";
import { withDefaults } from "../base/with-defaults.ts";
import { CODES_PER_IMAGE, type Codes, formatCodes, MAX_CODES } from "../codes/index.ts";
import { encodePng, type RgbImage, readPngText } from "../image/index.ts";
import { parseJson, parseWith } from "../io/json-file.ts";
import type { Device } from "../runtime/index.ts";
import { SAMPLING } from "./chat-model.ts";
import type { ModelHashes } from "./lm-folders.ts";
import type { DrawOptions } from "./options.ts";

const KEYWORD = "seedling";
const NO_FILTERS = { topK: 0, minP: 0, repetitionPenalty: 1, beams: 1, guidance: 1, negative: "" } as const;
/** Longest prompt that a note keeps, in characters. */
export const MAX_PROMPT = 10_000;

const text = z.string().max(MAX_PROMPT);
const hash = z.string().regex(/^[0-9a-f]{16}$/);
const number = z.number();

const schema = z.strictObject({
  format: z.literal("seedling-drawing-2"),
  /** The version of this package. */
  version: z.string().max(40),
  prompt: text,
  codes: z
    .array(
      z
        .int()
        .min(0)
        .max(MAX_CODES - 1),
    )
    .length(CODES_PER_IMAGE),
  /** For the codes and for the noise. */
  seed: z.int().min(0),
  /** How the codes were chosen. */
  sampling: z.strictObject({
    temperature: number,
    topK: number,
    topP: number,
    minP: number,
    repetitionPenalty: number,
    /** 1 for sampling. */
    beams: z.int().min(1),
    guidance: number,
    negative: text,
  }),
  /** How they were decoded; null stands for the model's default. */
  decoding: z.strictObject({
    device: z.enum(["cpu", "webgpu"]),
    steps: z.int().min(1).max(10_000).nullable(),
    guidanceScale: number.nullable(),
  }),
  models: z.strictObject({ decoder: z.record(z.string().max(100), hash), lm: hash, adapter: hash }),
});

/** Everything about a drawing besides its pixels. */
export type DrawingNote = Readonly<z.infer<typeof schema>>;

const parse = parseWith<DrawingNote>(schema);

/** @param options those it was drawn with */
export function drawingNote(
  prompt: string,
  { codes, seed }: { readonly codes: Codes; readonly seed: number },
  options: Omit<DrawOptions, "images">,
  { device, hashes }: { readonly device: Device; readonly hashes: ModelHashes },
): DrawingNote {
  const all = withDefaults({ ...SAMPLING, ...NO_FILTERS }, options);
  const { temperature, topK, topP, minP, repetitionPenalty, beams, guidance, negative, steps, guidanceScale } = all;
  return {
    format: "seedling-drawing-2",
    version: VERSION,
    prompt,
    codes: [...codes],
    seed,
    sampling: { temperature, topK, topP, minP, repetitionPenalty, beams, guidance, negative },
    decoding: { device, steps: steps ?? null, guidanceScale: guidanceScale ?? null },
    models: hashes,
  };
}

/** A PNG file with its note and, like all decoded pictures, its codes. */
export function drawingPng(image: RgbImage, note: DrawingNote): Promise<Uint8Array> {
  return encodePng(image, { [KEYWORD]: JSON.stringify(note), "seedling codes": formatCodes(note.codes) });
}

/** @throws InputError if the bytes are not a PNG, or have no note or a damaged one */
export function readDrawingNote(bytes: Uint8Array, where: string): DrawingNote {
  const note = readPngText(bytes, where).get(KEYWORD);
  if (note === undefined)
    throw new InputError(`${where}: expected a picture made by seedling draw, found no note in it.`);
  return parse(translated(parseJson(utf8(note), `${where}: its note`)), `${where}: its note`);
}

const first = z.looseObject({
  format: z.literal("seedling-drawing-1"),
  painting: z.unknown(),
  models: z.looseObject({ painter: z.unknown() }),
});

/** Converts a note of the first format, which had other names; leaves other JSON as it is. */
function translated(json: unknown): unknown {
  const parsed = first.safeParse(json);
  if (!parsed.success) return json;
  const { painting: decoding, models, ...rest } = parsed.data;
  const { painter: decoder, ...others } = models;
  return { ...rest, format: "seedling-drawing-2", decoding, models: { decoder, ...others } };
}

/**
 * Only the model that decoded a picture can decode it again bit for bit.
 * @throws InputError naming every file that differs, or the device
 */
export function expectSameDecoder(
  note: DrawingNote,
  decoder: Readonly<Record<string, string>>,
  device: Device,
  where: string,
): void {
  const { models, decoding } = note;
  const names = [...new Set([...Object.keys(models.decoder), ...Object.keys(decoder)])];
  const differ = names.filter((name) => models.decoder[name] !== decoder[name]);
  if (decoding.device !== device) {
    throw new InputError(
      `${where}: expected device ${decoding.device}, on which it was drawn, got ${device}. Set device to that one.`,
    );
  }
  if (differ.length === 0) return;
  const rows = differ
    .slice(0, 3)
    .map((name) => `${name.slice(0, 60)} was ${hashOr(models.decoder[name])}, here ${hashOr(decoder[name])}`);
  const more = differ.length > 3 ? `; and ${differ.length - 3} more` : "";
  throw new InputError(`${where}: drawn by another model: ${rows.join("; ")}${more}. Set model to that one.`);
}

function hashOr(hash: string | undefined): string {
  return hash ?? "not there";
}

/** Number of pixels that differ; all of them if the sizes do. */
export function differentPixels(a: RgbImage, b: RgbImage): number {
  if (a.width !== b.width || a.height !== b.height) return Math.max(a.width * a.height, b.width * b.height);
  let count = 0;
  for (let i = 0; i < a.data.length; i += 3)
    if (a.data[i] !== b.data[i] || a.data[i + 1] !== b.data[i + 1] || a.data[i + 2] !== b.data[i + 2]) count++;
  return count;
}

/** @throws InputError for a code that is not in this model's codebook */
export function expectCodes(note: DrawingNote, codebookSize: number, where: string): void {
  const outside = note.codes.find((code) => code >= codebookSize);
  if (outside !== undefined)
    throw new InputError(`${where}: expected codes 0..${codebookSize - 1}, got ${show(outside)}.`);
}
