/** A language model of any of the kinds that are known: which function runs it, and the graphs that are made of it. */
import { type Dim, input, Params, paramAttrs, type Tensor } from "../graph/index.ts";
import { type LmInput, type LmOutput, lmInput } from "./causal-lm.ts";
import type { Trace } from "./eva-vit.ts";
import { llama, llamaLogits } from "./llama.ts";
import type { LmConfig } from "./lm-config.ts";
import { opt, optLogits } from "./opt.ts";

export function languageModel(p: Params, input: LmInput, config: LmConfig, trace: Trace = {}): LmOutput {
  return config.kind === "llama" ? llama(p, input, config, trace) : opt(p, input, config, trace);
}

/** hidden: f32 [...,D] -> logits f32 [...,V], V with the added tokens. */
export function languageModelLogits(p: Params, hidden: Tensor, config: LmConfig): Tensor {
  return config.kind === "llama" ? llamaLogits(p, hidden, config) : optLogits(p, hidden, config);
}

/** Where the rows of the vocabulary lie, and those of the head: the same if tied. */
export function vocabularyPaths(config: LmConfig): { readonly embeddings: string; readonly head: string } {
  const embeddings = config.kind === "llama" ? "model.embed_tokens" : "model.decoder.embed_tokens";
  return { embeddings, head: config.tied ? embeddings : "lm_head" };
}

/**
 * The graph of a step of decoding, with symbolic lengths: inputs of `lmInput` and `rows` i32 [N], which of the B T places
 * (counted row by row) want logits; outputs `logits` f32 [N,V] and `present.i.key`, `present.i.value` f32 [B,G,P+T,Dh].
 */
export function decodingGraph(p: Params, config: LmConfig): Record<string, Tensor> {
  const feeds = lmInput(config, { batch: "B", tokens: "T", cached: "P" });
  const { hidden, present } = languageModel(p, feeds, config);
  const rows = hidden.reshape([-1, config.width]).gather(input("rows", ["N"], "i32"));
  const outputs: Record<string, Tensor> = { logits: languageModelLogits(p, rows, config) };
  for (const [i, { key, value }] of present.entries()) {
    outputs[`present.${i}.key`] = key;
    outputs[`present.${i}.value`] = value;
  }
  return outputs;
}

/** Names and shapes of all weights of a model, with those that `p` adds: low-rank paths, if it is a LoraParams. */
export function languageModelWeights(config: LmConfig, p = new Params()): (readonly [string, readonly number[]])[] {
  const [B, T]: [Dim, Dim] = ["B", "T"];
  const { hidden } = languageModel(p, lmInput(config, { batch: B, tokens: T }), config);
  languageModelLogits(p, hidden, config);
  return [...p.declared().values()].map((t) => [paramAttrs(t).path, paramAttrs(t).shape] as const);
}
