/** Seedling: pictures to 32 causal codes and back. */

export * from "./base/errors.ts";
export {
  CODES_PER_IMAGE,
  type Codes,
  checkCodes,
  formatCodes,
  formatCodesJson,
  type ImageCodes,
  PACKED_BYTES,
  packCodes,
  parseCodes,
  parseCodesFile,
  parseCodesJson,
  unpackCodes,
} from "./codes/index.ts";
export { type DecodeOptions, decodeImage, encodePng, type RgbImage } from "./image/index.ts";
export type { GenerationEmbedding } from "./image-decoder/decoder.ts";
export { type DiffusersReport, importDiffusers } from "./image-decoder/import.ts";
export { type DiffusionOptions, type SamplerName, StableDiffusion } from "./image-decoder/stable-diffusion.ts";
export {
  type ExportReport,
  exportOfficial,
  type ImportReport,
  importOfficial,
} from "./image-tokenizer/official/index.ts";
export { OfficialSeed } from "./image-tokenizer/official-seed.ts";
export { type QuantizeOptions, type QuantizeReport, quantizeFolder } from "./image-tokenizer/quantize.ts";
export {
  type BatchOptions,
  BUNDLED_MODEL,
  type ImageSource,
  type KeepOptions,
  type LoadOptions,
  type PaintOptions,
  type PrepareOptions,
  SeedTokenizer,
  type TokenizedImage,
  type TokenizerLoadOptions,
} from "./image-tokenizer/seed-tokenizer.ts";
export {
  type BatchReplyOptions,
  type ChatEvent,
  type ChatOptions,
  type DescribeOptions,
  Drawing,
  type DrawingNote,
  type DrawnCodes,
  type DrawOptions,
  differentPixels,
  drawingPng,
  expectSamePainter,
  type ImageInput,
  type LanguageModelOptions,
  painterHashes,
  type Question,
  type Reply,
  type ReplyOptions,
  type RespondOptions,
  readDrawingNote,
  SeedLanguageModel,
  type Turn,
} from "./language/index.ts";
export type { SeedlingConfig } from "./models/config.ts";
export type { Device } from "./runtime/index.ts";
export type { WeightDtype } from "./weights/quantized/weights-as.ts";
