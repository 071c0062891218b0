/** Layers, losses and initial values. */
export { initialValues } from "./init.ts";
export * from "./layers.ts";
export { cosineLoss, crossEntropy, mse } from "./losses.ts";
export { type BlockConfig, block, mlp, selfAttention } from "./transformer.ts";
