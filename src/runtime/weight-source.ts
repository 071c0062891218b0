/** The stored weights of a graph. */
import type { StoredWeight } from "../onnx/index.ts";

/** Where parameters come from: bytes in memory or a range of a file in `folder`. */
export interface WeightSource {
  readonly folder?: string;
  get(path: string): StoredWeight | undefined;
}

/** No stored weights: every parameter is fed. */
export const noWeights: WeightSource = { get: () => undefined };

/** Weights in memory. */
export function mapWeights(weights: ReadonlyMap<string, Float32Array>): WeightSource {
  return {
    get: (path) => {
      const data = weights.get(path);
      return data && { dtype: "f32", data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
    },
  };
}
