/** A language model that sees and draws. */
export { DESCRIBING_PENALTY } from "./describe.ts";
export { drawRequest } from "./draw-request.ts";
export { Drawing, type DrawnCodes } from "./drawing.ts";
export {
  type DrawingNote,
  differentPixels,
  drawingPng,
  expectCodes,
  expectSameDecoder,
  readDrawingNote,
} from "./drawing-note.ts";
export { decoderHashes } from "./lm-folders.ts";
export type {
  BatchReplyOptions,
  ChatEvent,
  ChatOptions,
  DescribeOptions,
  DrawOptions,
  ImageInput,
  LanguageModelOptions,
  Question,
  Reply,
  ReplyOptions,
  RespondOptions,
  Turn,
} from "./options.ts";
export { SeedLanguageModel } from "./seed-language-model.ts";
