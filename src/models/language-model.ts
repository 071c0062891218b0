/** A language model of any supported architecture: the function that runs it, and the graphs made of it. */
import { type Dim, input, Params, paramAttrs, type Tensor } from "../graph/index.ts";
import { type LmInput, type LmOutput, lmInput, type VocabularyRows } from "./causal-lm.ts";
import { llama, llamaLogits } from "./llama.ts";
import type { LmConfig } from "./lm-config.ts";
import { opt, optLogits } from "./opt.ts";

/** @param rows how rows of added tokens are made; default: as they are stored */
export function languageModel(p: Params, input: LmInput, config: LmConfig, rows?: VocabularyRows): LmOutput {
  return config.kind === "llama" ? llama(p, input, config, rows) : opt(p, input, config, rows);
}

/** hidden: f32 [...,D] -> logits f32 [...,V], V with the added tokens. */
export function languageModelLogits(p: Params, hidden: Tensor, config: LmConfig, rows?: VocabularyRows): Tensor {
  return config.kind === "llama" ? llamaLogits(p, hidden, config, rows) : optLogits(p, hidden, config, rows);
}

/** Paths of the vocabulary's embeddings and of the head: the same if tied. */
export function vocabularyPaths(config: LmConfig): { readonly embeddings: string; readonly head: string } {
  const embeddings = config.kind === "llama" ? "model.embed_tokens" : "model.decoder.embed_tokens";
  return { embeddings, head: config.tied ? embeddings : "lm_head" };
}

/**
 * The graph of one decoding step, with symbolic lengths: inputs of `lmInput` and `rows` i32 [N], the indices among the B T
 * tokens (row-major) whose logits are wanted; outputs `logits` f32 [N,V] and `present.i.key`, `present.i.value`
 * f32 [B,G,P+T,Dh]. `made`: how rows of added tokens are made.
 */
export function decodingGraph(p: Params, config: LmConfig, made?: VocabularyRows): Record<string, Tensor> {
  const feeds = lmInput(config, { batch: "B", tokens: "T", cached: "P" });
  const { hidden, present } = languageModel(p, feeds, config, made);
  const rows = hidden.reshape([-1, config.width]).gather(input("rows", ["N"], "i32"));
  const outputs: Record<string, Tensor> = { logits: languageModelLogits(p, rows, config, made) };
  for (const [i, { key, value }] of present.entries()) {
    outputs[`present.${i}.key`] = key;
    outputs[`present.${i}.value`] = value;
  }
  return outputs;
}

/** Names and shapes of all weights of a model, including those that `p` adds: low-rank matrices, if it is a LoraParams. */
export function languageModelWeights(
  config: LmConfig,
  p = new Params(),
  rows?: VocabularyRows,
): (readonly [string, readonly number[]])[] {
  const [B, T]: [Dim, Dim] = ["B", "T"];
  const { hidden } = languageModel(p, lmInput(config, { batch: B, tokens: T }), config, rows);
  languageModelLogits(p, hidden, config, rows);
  return [...p.declared().values()].map((t) => [paramAttrs(t).path, paramAttrs(t).shape] as const);
}
