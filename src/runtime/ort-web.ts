/** ONNX Runtime in a browser: WebAssembly, or WebGPU with WebAssembly for what has no kernel there. */
import { Tensor } from "onnxruntime-common";
import { SetupError } from "../base/errors.ts";
import type { Ort } from "./ort.ts";

/** Takes effect before the first session only. 0 leaves the number to ONNX Runtime. */
let wasmThreads: number | undefined;

/** WebAssembly threads reload the script that ONNX Runtime is in, so a caller's own worker has one unless it asks for more. */
function defaultThreads(): number {
  return self.name === "seedling" ? 0 : 1;
}

async function hasGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  return Boolean(await gpu?.requestAdapter().catch(() => undefined));
}

export const ort: Ort = {
  Tensor,

  async sessions(device) {
    if (device === "webgpu" && !(await hasGpu()))
      throw new SetupError(
        "runtime: expected a GPU that WebGPU can use, found none in this browser. Use the device cpu.",
      );
    const { env, InferenceSession } = await (device === "webgpu"
      ? import("onnxruntime-web/webgpu")
      : import("onnxruntime-web/wasm"));
    // More than one thread needs a cross-origin isolated page.
    if (wasmThreads) env.wasm.numThreads = wasmThreads;
    return InferenceSession;
  },

  options({ device, threads, weights }) {
    wasmThreads ??= threads || defaultThreads();
    return {
      executionProviders: [device === "webgpu" ? "webgpu" : "wasm"],
      externalData: weights?.files.map((path, i) => ({
        path,
        data: weights.contents?.[i] ?? `${weights.folder}/${path}`,
      })),
    };
  },
};
