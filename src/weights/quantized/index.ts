/** Smaller weights: fewer bits a number. */
export { type QuantizeOptions, type QuantizeReport, quantizeFolder } from "./quantize-folder.ts";
