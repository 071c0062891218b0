/** Text as ids. */
export {
  CaptionTokenizer,
  type EncodedCaptions,
  SPECIALS,
  splitWords,
  wordLevelTokenizer,
} from "./caption-tokenizer.ts";
