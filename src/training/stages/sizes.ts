/** The keys of model.json that parts of the model depend on. */
import type { SizeKey } from "../recipe/model-sizes.ts";

export const CLIP_SIZES = [
  "model.pixels",
  "model.vision",
  "model.textEncoder",
  "model.clipWidth",
  "model.clipGrid",
] as const satisfies readonly SizeKey[];

export const QFORMER_SIZES = [
  "model.qformer",
  "model.contrastiveWidth",
  "model.contrastiveText",
  "model.contextPositions",
  "model.draft",
] as const satisfies readonly SizeKey[];

export const CODEBOOK_SIZES = [
  "model.codebook",
  "model.decoderDepth",
  "model.decoderHeads",
  "model.image",
  "model.text",
] as const satisfies readonly SizeKey[];
