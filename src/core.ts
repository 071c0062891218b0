/** Seedling without a platform: graphs, their derivatives, ONNX, layers and models. It runs in Node and browsers as it is. */
export * from "./autodiff/index.ts";
export * from "./base/errors.ts";
export { Rng } from "./base/rng.ts";
export * from "./graph/index.ts";
export * from "./models/index.ts";
export * from "./nn/index.ts";
export * from "./onnx/index.ts";
