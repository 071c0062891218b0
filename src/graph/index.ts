/** Symbolic tensors: the graph that models build. */
export { type Dim, isStatic, type Shape, staticSize } from "./dims.ts";
export type { DType, Init, OpAttrs, OpName, TensorType } from "./ops.ts";
export { buildFrom, type Outputs, shapesOf } from "./outputs.ts";
export { filled, normal, ones, Params, paramAttrs, uniform, zeros } from "./params.ts";
export { keepForDerivative } from "./passes/keep.ts";
export { simplify } from "./passes/simplify.ts";
export {
  concat,
  constant,
  full,
  input,
  type Node,
  printGraph,
  scatterAdd,
  sortNodes,
  stopGradient,
  Tensor,
} from "./tensor.ts";
