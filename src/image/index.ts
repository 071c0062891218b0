export { type DecodeOptions, decodeImage, MAX_PICTURE_BYTES, PICTURE_NAME } from "./decode.ts";
export { encodePng } from "./encode.ts";
export { type ChannelStats, CLIP_STATS, fromTensor, toTensor } from "./normalize.ts";
export { readPngText } from "./png-text.ts";
export { crop, type ResizeFilter, resize, resizeAndCrop } from "./resize.ts";
export { blankImage, type RgbImage } from "./rgb-image.ts";
