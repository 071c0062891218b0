/** A language model that sees pictures as vectors, with an adapter that was trained with `inputs: "features"`. */
import { SetupError } from "../../base/errors.ts";
import { exists } from "../../io/files.ts";
import { join } from "../../io/paths.ts";
import { PICTURE_MARKS } from "../../models/code-rows.ts";
import { FEATURES, featureRows } from "../../models/feature-rows.ts";
import { decodingGraph } from "../../models/language-model.ts";
import { LoraParams } from "../../models/lora.ts";
import { Runtime, type RuntimeOptions, type Value } from "../../runtime/index.ts";
import { LmTokenizer } from "../../text/index.ts";
import { openSafetensors, readPeftFolder } from "../../weights/index.ts";
import { openBaseModel } from "./base-model.ts";
import { cachedModel } from "./cached-model.ts";
import { withAdapter } from "./lm-weights.ts";
import type { OpenedModel } from "./open-model.ts";

/** File of an adapter folder with the weights by which vectors become tokens. */
export const FEATURE_ROWS = "features.safetensors";

export function isOfFeatures(name: string): boolean {
  return /\.(marks|feature_projection\.(weight|bias))$/.test(name);
}

export interface FeatureModel extends OpenedModel {
  /** Sets the vectors that ids of sequences refer to, f32 [N,W]: see `featureRows`. */
  show(features: Value): void;
}

/** @throws SetupError if the adapter sees codes; as `openLanguageModel` */
export async function openFeatureModel(
  path: string,
  adapterPath: string,
  options: RuntimeOptions = {},
): Promise<FeatureModel> {
  const where = join(adapterPath, FEATURE_ROWS);
  if (!(await exists(where)))
    throw new SetupError(`${where}: expected the weights of an adapter that sees features, found none.`);
  const file = await openSafetensors(where);
  const rows = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, { shape }] of file.tensors) rows.set(name, { shape, data: await file.readFloat32(name) });
  await file.close();
  const [, width = 0] = [...rows].find(([name]) => name.endsWith("projection.weight"))?.[1].shape ?? [];
  const base = await openBaseModel(path);
  const adapter = await readPeftFolder(adapterPath);
  const config = { ...base.config, addedTokens: PICTURE_MARKS };
  const tokenizer = await LmTokenizer.open(adapterPath);
  const stored = await base.graphWeights();
  const weights = withAdapter(stored, { ...adapter, weights: new Map([...adapter.weights, ...rows]) }, config);
  const runtime = new Runtime(options);
  const close = async (): Promise<void> => {
    await runtime.close();
    await stored.release();
  };
  let shown: Value = { shape: [0, width], data: new Float32Array(0) };
  try {
    const tied = config.tied && !stored.ownHead;
    const graph = decodingGraph(new LoraParams(adapter.lora), { ...config, tied }, featureRows("N", width));
    const program = await runtime.compile(graph, weights);
    await stored.release();
    const fed = {
      runKeeping: (feeds: Parameters<typeof program.runKeeping>[0], names: readonly string[]) =>
        program.runKeeping({ ...feeds, [FEATURES]: shown }, names),
      gather: program.gather.bind(program),
      drop: program.drop.bind(program),
    };
    const show = (features: Value): void => {
      shown = features;
    };
    return { ...cachedModel(fed, config), config, tokenizer, show, close };
  } catch (error) {
    await close();
    throw error;
  }
}
