/** Execution: the only folder that knows ONNX Runtime. */
export type { Value, Values } from "../base/value.ts";
export type { AdamW, Kind, Slot } from "./arena.ts";
export type { Program } from "./program.ts";
export type { Device, Feeds, Kept } from "./protocol.ts";
export { Runtime, type RuntimeOptions } from "./runtime.ts";
export type { Training } from "./training.ts";
export { mapWeights, noWeights, type WeightSource } from "./weight-source.ts";
