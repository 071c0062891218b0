/** ONNX Runtime in a browser: WebAssembly. It fetches external weights itself, inside the worker. */
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { SetupError } from "../base/errors.ts";
import type { Ort } from "./ort.ts";

export const ort: Ort = {
  InferenceSession,
  Tensor,
  options({ device, threads, weights }) {
    if (device !== "cpu") throw new SetupError(`runtime: expected the device cpu in a browser, got ${device}.`);
    // Counts before the first session only. More than one thread needs a cross-origin isolated page.
    if (threads > 0) env.wasm.numThreads = threads;
    return {
      executionProviders: ["wasm"],
      externalData: weights?.files.map((path) => ({ path, data: `${weights.folder}/${path}` })),
    };
  },
};
