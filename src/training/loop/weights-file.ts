/** `weights.safetensors` of a stage: what it learned, as float32. */
import { join } from "node:path";
import { SetupError } from "../../base/errors.ts";
import { isMissing } from "../../io/files.ts";
import { openSafetensors, writeSafetensors } from "../../weights/index.ts";
import type { LoopResult } from "./loop.ts";

export function weightsFile(folder: string): string {
  return join(folder, "weights.safetensors");
}

export async function saveWeights(
  path: string,
  { weights, shapes }: Pick<LoopResult, "weights" | "shapes">,
): Promise<void> {
  const tensors = [...weights].map(([name, data]) => {
    return { name, dtype: "F32", shape: shapes.get(name) ?? [data.length], data } as const;
  });
  await writeSafetensors(path, tensors);
}

/** Weights of an earlier stage, as flat arrays. @throws SetupError if that stage has not finished */
export async function loadWeights(path: string): Promise<Map<string, Float32Array>> {
  let file: Awaited<ReturnType<typeof openSafetensors>>;
  try {
    file = await openSafetensors(path);
  } catch (error) {
    if (isMissing(error))
      throw new SetupError(`${path}: expected the weights of an earlier stage, found none. Run that stage first.`);
    throw error;
  }
  try {
    const weights = new Map<string, Float32Array>();
    for (const name of file.tensors.keys()) weights.set(name, await file.readFloat32(name));
    return weights;
  } finally {
    await file.close();
  }
}
