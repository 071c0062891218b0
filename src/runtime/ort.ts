/** ONNX Runtime's sessions and tensors, and ours. */
import * as ort from "onnxruntime-node";
import { SeedlingError } from "../errors.ts";
import type { SessionSpec, Value } from "./protocol.ts";

export async function createSession(spec: SessionSpec): Promise<ort.InferenceSession> {
  const entries = spec.weightFolder ? { model_external_initializers_file_folder_path: spec.weightFolder } : {};
  return ort.InferenceSession.create(spec.model, {
    executionProviders: [spec.device],
    intraOpNumThreads: spec.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: entries },
    ...(spec.profile ? { enableProfiling: true, profileFilePrefix: spec.profile } : {}),
  });
}

export function toOrt({ data, shape }: Value): ort.Tensor {
  return data instanceof Int32Array ? new ort.Tensor("int32", data, shape) : new ort.Tensor("float32", data, shape);
}

export function fromOrt(t: ort.Tensor): Value {
  const data = t.data;
  if (data instanceof Float32Array || data instanceof Int32Array) return { shape: t.dims, data };
  if (data instanceof Uint8Array) return { shape: t.dims, data: Int32Array.from(data) }; // bool
  throw new SeedlingError(`session: expected f32, i32 or bool, got ${t.type}`);
}
