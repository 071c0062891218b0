/** Text as ids. */

export { type BpeOptions, bpeMerges, trainBpe } from "./bpe-training.ts";
export {
  CaptionTokenizer,
  type EncodedCaptions,
  SPECIALS,
  splitWords,
  wordLevelTokenizer,
} from "./caption-tokenizer.ts";
export {
  CHATML,
  type ChatTemplate,
  type ChatTurn,
  type EncodedChat,
  encodeChat,
  encodePieces,
  type Piece,
  SEED_CHAT,
} from "./chat.ts";
export { ClipPrompts, clipTokenizer, type PromptSizes } from "./clip-prompt.ts";
export {
  codeOf,
  findImageTokens,
  type ImageTokens,
  imageIds,
  type ReplyPart,
  splitReply,
  withImageTokens,
} from "./image-tokens.ts";
export {
  DESCRIBING,
  type Describing,
  expectSameCodes,
  fillRequest,
  type LmManifest,
  readLmManifest,
  templateOf,
  writeLmManifest,
} from "./lm-manifest.ts";
export { LmTokenizer, TextStream } from "./lm-tokenizer.ts";
export { cleanCaption, WordPieceTokenizer } from "./word-piece.ts";
