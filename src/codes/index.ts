export { codebookHash } from "./codebook-hash.ts";
export {
  BITS_PER_CODE,
  CODES_PER_IMAGE,
  type Codes,
  checkCodes,
  formatCodes,
  formatCodesJson,
  type ImageCodes,
  MAX_CODES,
  PACKED_BYTES,
  packCodes,
  parseCodes,
  parseCodesFile,
  parseCodesJson,
  unpackCodes,
} from "./codes.ts";
