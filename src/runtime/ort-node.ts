/** ONNX Runtime in Node. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Ort } from "./ort.ts";

export const ort: Ort = {
  Tensor,
  sessions: async () => InferenceSession,
  options: ({ device, threads, weights, profile }) => ({
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    extra: weights && { session: { model_external_initializers_file_folder_path: weights.folder } },
    ...(profile && { enableProfiling: true, profileFilePrefix: profile }),
  }),
};
