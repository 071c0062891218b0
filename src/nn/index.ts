/** Layers, losses and initial values. */
export { type AdamWScalars, type AdamWSettings, type AdamWState, adamw, clipByNorm } from "./adamw.ts";
export { initialValues } from "./init.ts";
export * from "./layers.ts";
export { cosineLoss, crossEntropy, labeledCrossEntropy, mse, softplus } from "./losses.ts";
export { type Activation, activate, type BlockConfig, block, mlp, selfAttention } from "./transformer.ts";
