/** What ONNX Runtime offers on every platform: onnxruntime-node (`ort-node.ts`) or onnxruntime-web (`ort-web.ts`). */
import type { InferenceSession, InferenceSessionFactory, TensorConstructor } from "onnxruntime-common";
import type { Device, SessionSpec } from "./protocol.ts";

export interface Ort {
  readonly Tensor: TensorConstructor;
  /** What opens sessions on a device; loaded when it is first needed. */
  sessions(device: Device): Promise<InferenceSessionFactory>;
  /** Device, threads and external weights, as the platform expects them. */
  options(spec: SessionSpec): InferenceSession.SessionOptions;
}
