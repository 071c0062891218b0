/** Graphs as ONNX models. */
export { type EmitOptions, type Emitted, emit, type FloatWeight, type StoredWeight, type Target } from "./emit.ts";
export type { BlockQuantized, QuantizedWeight, RowQuantized } from "./quantized.ts";
