/** Sessions, and tensors between ONNX Runtime's form and ours. */
import type { InferenceSession, Tensor } from "onnxruntime-common";
import { ort } from "#ort";
import { SeedlingError } from "../base/errors.ts";
import type { Value, Values } from "../base/value.ts";
import { exactProducts } from "./products.ts";
import type { SessionSpec } from "./protocol.ts";

/** A session; the outputs named `onDevice` stay on the GPU. */
export async function createSession(spec: SessionSpec, onDevice: readonly string[] = []): Promise<InferenceSession> {
  const exact = spec.device === "cpu" && (await exactProducts());
  const { extra, ...options } = ort.options(spec);
  const sessions = await ort.sessions(spec.device);
  const entries = { ...(extra?.["session"] as object | undefined), x64quantprecision: exact ? "0" : "1" };
  const locations = Object.fromEntries(onDevice.map((name) => [name, "gpu-buffer" as const]));
  return sessions.create(spec.model, {
    ...options,
    logSeverityLevel: 3,
    // Planned as one block, the activations of a training step would be in memory twice: the blocks of the first step stay.
    enableMemPattern: !("slots" in spec),
    extra: { session: entries },
    ...(onDevice.length > 0 && { preferredOutputLocation: locations }),
  });
}

/** Tensors of the types that the session expects; bools are fed as i32. */
export function toOrt(session: InferenceSession, feeds: Values): Record<string, Tensor> {
  const bools = new Set(session.inputMetadata.flatMap((m) => (m.isTensor && m.type === "bool" ? [m.name] : [])));
  const tensor = (name: string, { data, shape }: Value): Tensor => {
    if (data instanceof Float32Array) return new ort.Tensor("float32", data, shape);
    return bools.has(name)
      ? new ort.Tensor("bool", Uint8Array.from(data), shape)
      : new ort.Tensor("int32", data, shape);
  };
  return Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, tensor(name, value)]));
}

export function fromOrt(t: Tensor): Value {
  const data = t.data;
  if (data instanceof Float32Array || data instanceof Int32Array) return { shape: t.dims, data };
  if (data instanceof Uint8Array) return { shape: t.dims, data: Int32Array.from(data) }; // bool
  throw new SeedlingError(`session: expected f32, i32 or bool, got ${t.type}`);
}
