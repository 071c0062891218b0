/** The frozen weights of a language model, as floats in a file that ONNX Runtime maps: no copy of them in memory. */
import { exists, makeFolder } from "../../io/files.ts";
import { dirname } from "../../io/paths.ts";
import type { BaseModel } from "../../language/generation/base-model.ts";
import { languageModelWeights } from "../../models/language-model.ts";
import type { WeightSource } from "../../runtime/index.ts";
import { writeSafetensors } from "../../weights/index.ts";
import { checkedWeights } from "../../weights/mapped/weights.ts";

export interface FloatWeights extends WeightSource {
  /** The numbers of one weight. */
  readonly read: (path: string) => Promise<Float32Array>;
}

/**
 * A model that is stored as 32-bit floats is mapped where it is. Otherwise its numbers are written to `file`, once: a
 * file that is there is used, so it is named by the hash of the model.
 * @throws SetupError if the disk refuses; CheckpointError if `file` holds something else
 */
export async function floatWeights(
  { config, weights }: BaseModel,
  file: string,
  onProgress?: (line: string) => void,
): Promise<FloatWeights> {
  const shapes = languageModelWeights(config);
  const mapped = shapes.every(([name]) => {
    const stored = weights.get(name);
    return stored?.dtype === "f32" && "file" in stored.data;
  });
  if (mapped) return weights;
  if (!(await exists(file))) {
    onProgress?.(`writing the language model as 32-bit floats to ${file}`);
    await makeFolder(dirname(file));
    await writeSafetensors(
      file,
      shapes.map(([name, shape]) => ({ name, shape, dtype: "F32", data: () => weights.read(name) })),
    );
  }
  return checkedWeights(file, shapes);
}
