/** An imported SEED and a Stable Diffusion, as one model that paints. */

import { InputError, UsageError } from "../base/errors.ts";
import { parseCodesFile } from "../codes/index.ts";
import { type DiffusionOptions, type SamplerName, StableDiffusion } from "../image-decoder/stable-diffusion.ts";
import { OfficialSeed } from "../image-tokenizer/official-seed.ts";
import type { LoadOptions } from "../image-tokenizer/seed-tokenizer.ts";
import { readFileBounded } from "../io/files.ts";
import type { Painter } from "./options.ts";

export interface OfficialPainterOptions {
  /** A diffusers folder, or owner/name on the Hub. */
  readonly diffusion: string;
  readonly scheduler?: SamplerName;
  /** A file with the codes of one picture to lead away from. */
  readonly negativeCodes?: string;
  /** How much the image embedding is blurred; unCLIP only. */
  readonly noiseLevel?: number;
}

/** Largest file of negative codes, bytes: one line of 32 codes, or a JSON object around it. */
const MAX_NEGATIVE = 1e6;

export async function openOfficialPainter(
  seedFolder: string,
  { diffusion: diffusers, negativeCodes, noiseLevel, scheduler }: OfficialPainterOptions,
  load: LoadOptions,
): Promise<Painter> {
  const seed = await OfficialSeed.fromPretrained(seedFolder, load);
  const diffusion = await StableDiffusion.fromPretrained(diffusers, { ...load, scheduler });
  const head = diffusion.paintsFrom;
  if (noiseLevel !== undefined && head === "text")
    throw new UsageError(
      `--noise-level: expected an unCLIP folder, got ${diffusers}, which paints from text features.`,
    );
  const avoided = negativeCodes === undefined ? undefined : await readNegative(negativeCodes, seed.codebookSize);
  const settings: DiffusionOptions = {
    ...(noiseLevel === undefined ? {} : { noiseLevel }),
  };
  return {
    codebookSize: seed.codebookSize,
    prepare: (source, options) => seed.prepare(source, options),
    encode: (images, options) => seed.encode(images, options),
    decode: async (codes, options = {}) => {
      const embeddings = await seed.generationEmbeddings(codes, { ...options, head });
      const [negative] = avoided ? await seed.generationEmbeddings([avoided], { head }) : [];
      return diffusion.paint(embeddings, { ...options, ...settings, ...(negative ? { negative } : {}) });
    },
    close: async () => {
      await Promise.all([seed.close(), diffusion.close()]);
    },
  };
}

/** The codes of one picture, as text or JSON. @throws InputError for none or several. */
async function readNegative(path: string, size: number): Promise<readonly number[]> {
  const pictures = parseCodesFile(Buffer.from(await readFileBounded(path, MAX_NEGATIVE)).toString("utf8"), path, size);
  if (pictures.length === 1) return pictures[0]!.codes;
  throw new InputError(`${path}: expected negative codes of one picture, got ${pictures.length}. Leave one line.`);
}
