/**
 * GILL's route to pictures, as a twin of codes: a frozen language model reads a caption and then learned image tokens, and a
 * linear map turns its hidden states at those tokens into the text features that a diffusion model reads. The published
 * system maps with a small transformer. Koh et al. 2023 (arXiv 2305.17216), section 3.2.
 */
import { normal, type Params, type Tensor } from "../graph/index.ts";
import { linear } from "../nn/index.ts";
import type { LmInput } from "./causal-lm.ts";
import { languageModel } from "./language-model.ts";
import type { LmConfig } from "./lm-config.ts";

/** Name prefix of the map. */
export const GILL = "gill";

/**
 * input: per row a caption and then N image tokens, ids from `config.vocabulary` on; places: i32 [B,N], indices of the
 * image tokens among the B T tokens -> text features f32 [B,N,D]. Keys `gill.*` and those of the language model.
 */
export function gillFeatures(p: Params, input: LmInput, places: Tensor, config: LmConfig, width: number): Tensor {
  const { hidden } = languageModel(p, input, config);
  const said = hidden.reshape([-1, config.width]).gather(places); // [B,N,W]
  return linear(p.at(GILL), said, width, { init: normal(config.width ** -0.5) });
}
