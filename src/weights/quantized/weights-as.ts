/** Weights in the dtype that a model is opened with: rounded in memory if its folder holds floats. */
import { UsageError } from "../../base/errors.ts";
import { entry, item } from "../../base/item.ts";
import type { Outputs } from "../../graph/index.ts";
import type { QuantizedWeight } from "../../onnx/index.ts";
import type { CheckedWeights } from "../mapped/weights.ts";
import { KEEP, linearWeights } from "./linear-weights.ts";
import { quantizeRows } from "./round.ts";

/** f32: floats, computed in float32 however they are stored. int8: integers, one scale per row. */
export type WeightDtype = "f32" | "int8";

/**
 * The weights of these graphs. int8 rounds, in memory and one matrix at a time, what `seedling quantize` would, to
 * the same numbers; what is quantized in the file stays as it is. Without a dtype nothing changes.
 * @throws UsageError for f32 if the file holds quantized weights.
 */
export async function weightsAs(
  dtype: WeightDtype | undefined,
  weights: CheckedWeights,
  graphs: readonly Outputs[],
): Promise<CheckedWeights> {
  if (dtype === undefined) return weights;
  const names = [...linearWeights(graphs.flatMap((outputs) => Object.values(outputs)))];
  const isQuantized = (name: string): boolean => "scale" in (weights.get(name) ?? {});
  if (dtype === "f32") {
    if (!names.some(isQuantized)) return weights;
    throw new UsageError(
      `${weights.path}: expected floats for dtype "f32", got quantized weights. Leave dtype out, or open the folder that they were made from.`,
    );
  }
  const rounded = new Map<string, QuantizedWeight>();
  for (const name of names) {
    if (KEEP.test(name) || isQuantized(name)) continue;
    const { data, scale } = quantizeRows(await weights.read(name), item(entry(weights.shapes, name), 0));
    rounded.set(name, { dtype: "i8", data: new Uint8Array(data.buffer), scale: new Uint8Array(scale.buffer) });
  }
  return { ...weights, get: (name) => rounded.get(name) ?? weights.get(name) };
}
