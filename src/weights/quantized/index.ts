/** Smaller weights: fewer bits per number. */
export { linearWeights } from "./linear-weights.ts";
export { lmMatrices } from "./lm-matrices.ts";
export { type PartToQuantize, type QuantizeReport, quantizeFiles } from "./quantize-files.ts";
