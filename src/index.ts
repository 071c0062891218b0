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
export type { DecoderOptions, EmbeddingKind, GenerationEmbedding, ImageDecoder } from "./image-decoder/decoder.ts";
export {
  type DecoderLoadOptions,
  DiffusionDecoder,
  type DiffusionOptions,
  type SamplerName,
} from "./image-decoder/diffusion-decoder.ts";
export { type DiffusersReport, importDiffusers } from "./image-decoder/import.ts";
export { ClipModel } from "./image-tokenizer/clip/clip-model.ts";
export {
  type ExportReport,
  exportOfficial,
  type ImportReport,
  importOfficial,
  type OfficialReport,
} from "./image-tokenizer/official/index.ts";
export { type QuantizeOptions, type QuantizeReport, quantizeFolder } from "./image-tokenizer/quantize.ts";
export {
  type BatchOptions,
  BUNDLED_MODEL,
  type Capability,
  type DecodeCodesOptions,
  type EncodeOptions,
  type ImageSource,
  type KeepOptions,
  type LoadOptions,
  type PrepareOptions,
  SeedTokenizer,
  type TextOptions,
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
  decoderHashes,
  differentPixels,
  drawingPng,
  expectSameDecoder,
  type ImageInput,
  type LanguageModelOptions,
  type Question,
  type Reply,
  type ReplyOptions,
  type RespondOptions,
  readDrawingNote,
  SeedLanguageModel,
  type Turn,
} from "./language/index.ts";
export type { ModelConfig } from "./models/config.ts";
export type { Device } from "./runtime/index.ts";
export type { WeightDtype } from "./weights/quantized/weights-as.ts";
