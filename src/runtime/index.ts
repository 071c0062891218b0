/** Execution: the only room that knows ONNX Runtime. */
export type { Value, Values } from "../base/value.ts";
export type { AdamW, Kind, Slot } from "./arena.ts";
export type { Device, Feeds, Kept } from "./protocol.ts";
export {
  mapWeights,
  noWeights,
  type Program,
  Runtime,
  type RuntimeOptions,
  type Training,
  type WeightSource,
} from "./runtime.ts";
