/** What ONNX Runtime offers on every platform: onnxruntime-node (`ort-node.ts`) or onnxruntime-web (`ort-web.ts`). */
import type { InferenceSession, InferenceSessionFactory, TensorConstructor } from "onnxruntime-common";
import type { SessionSpec } from "./protocol.ts";

export interface Ort {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  /** Device, threads and external weights, as the platform wants them. */
  options(spec: SessionSpec): InferenceSession.SessionOptions;
}
