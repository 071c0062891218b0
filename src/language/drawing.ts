/** A drawing as a PNG file that says how it came about, so that the same picture can be painted from the file alone. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { show } from "../base/one-line.ts";
import { CODES_PER_IMAGE, formatCodes, MAX_CODES } from "../codes/index.ts";
import { encodePng, type RgbImage, readPngText } from "../image/index.ts";
import { parseJson, parseWith } from "../io/json-file.ts";
import type { Device } from "../runtime/index.ts";

const KEYWORD = "seedling";
/** Longest prompt that a file keeps, letters. */
export const MAX_PROMPT = 10_000;

const text = z.string().max(MAX_PROMPT);
const hash = z.string().regex(/^[0-9a-f]{16}$/);
const number = z.number();

const schema = z.strictObject({
  format: z.literal("seedling-drawing-1"),
  /** Of the program. */
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
  /** Of the codes and of the noise. */
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
  /** How they were painted; null stands for what the model says. */
  painting: z.strictObject({
    device: z.enum(["cpu", "webgpu"]),
    steps: z.int().min(1).max(10_000).nullable(),
    guidanceScale: number.nullable(),
  }),
  models: z.strictObject({ painter: z.record(z.string().max(100), hash), lm: hash, adapter: hash }),
});

/** Everything that is known about a drawing besides its pixels. */
export type DrawingNote = Readonly<z.infer<typeof schema>>;

const parse = parseWith<DrawingNote>(schema);

/** The PNG file, with its note and, as all painted pictures, its codes. */
export function drawingPng(image: RgbImage, note: DrawingNote): Promise<Uint8Array> {
  return encodePng(image, { [KEYWORD]: JSON.stringify(note), "seedling codes": formatCodes(note.codes) });
}

/** @throws InputError if the bytes are no PNG, have no such note, or a damaged one */
export function readDrawingNote(bytes: Uint8Array, where: string): DrawingNote {
  const note = readPngText(bytes, where).get(KEYWORD);
  if (note === undefined)
    throw new InputError(`${where}: expected a picture that seedling draw has made, found no note of it inside.`);
  return parse(parseJson(Buffer.from(note), `${where}: its note`), `${where}: its note`);
}

/**
 * The note's picture can be painted bit for bit by this model only.
 * @throws InputError naming every file that differs, or the device
 */
export function expectSamePainter(
  note: DrawingNote,
  painter: Readonly<Record<string, string>>,
  device: Device,
  where: string,
): void {
  const { models, painting } = note;
  const names = [...new Set([...Object.keys(models.painter), ...Object.keys(painter)])];
  const differ = names.filter((name) => models.painter[name] !== painter[name]);
  if (painting.device !== device) {
    throw new InputError(
      `${where}: expected --device ${painting.device}, on which it was painted, got ${device}. Name that device.`,
    );
  }
  if (differ.length === 0) return;
  const rows = differ
    .slice(0, 3)
    .map((name) => `${name.slice(0, 40)} was ${hashOr(models.painter[name])}, here ${hashOr(painter[name])}`);
  const more = differ.length > 3 ? `; and ${differ.length - 3} more` : "";
  throw new InputError(`${where}: painted by another model: ${rows.join("; ")}${more}. Name that model with --model.`);
}

function hashOr(hash: string | undefined): string {
  return hash ?? "not there";
}

/** How many pixels differ; all of them if the sizes do. */
export function differentPixels(a: RgbImage, b: RgbImage): number {
  if (a.width !== b.width || a.height !== b.height) return Math.max(a.width * a.height, b.width * b.height);
  let count = 0;
  for (let i = 0; i < a.data.length; i += 3)
    if (a.data[i] !== b.data[i] || a.data[i + 1] !== b.data[i + 1] || a.data[i + 2] !== b.data[i + 2]) count++;
  return count;
}

/** @throws InputError for a code that this model's codebook lacks, or settings of drawings that are out of range */
export function expectCodes(note: DrawingNote, codebookSize: number, where: string): void {
  const outside = note.codes.find((code) => code >= codebookSize);
  if (outside !== undefined)
    throw new InputError(`${where}: expected codes 0..${codebookSize - 1}, got ${show(outside)}.`);
}
