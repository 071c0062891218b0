/** Which matrices of a language model can be quantized. */
import { Params } from "../../graph/index.ts";
import { decodingGraph, vocabularyPaths } from "../../models/language-model.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import { linearWeights } from "./linear-weights.ts";

/** Where a head that is not tied is stored. */
export const HEAD = "lm_head.weight";

/**
 * Matrices that only linear layers read: the name each is stored under when it is quantized, and the one it is read from.
 * Tied embeddings are looked up as floats, and stored once more, quantized, as the head.
 */
export function lmMatrices(config: LmConfig): ReadonlyMap<string, string> {
  const graph = decodingGraph(new Params(), { ...config, tied: false, addedTokens: 0 });
  const { embeddings } = vocabularyPaths(config);
  const names = [...linearWeights(Object.values(graph))];
  return new Map(names.map((name) => [name, config.tied && name === HEAD ? `${embeddings}.weight` : name]));
}
