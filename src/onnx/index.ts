/** Graphs as ONNX models. */
export { type EmitOptions, type Emitted, emit, type StoredWeight, type Target } from "./emit.ts";
