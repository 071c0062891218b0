/**
 * Word classification: the words of the caption are classes of the picture. In small batches the contrast asks for little
 * more than the background; this loss gives every object a gradient of its own. Huang et al. 2024 (SuperClass), with their
 * weights: rare words count more. Ours is that each token classifies, and the picture's logits are a soft maximum over its
 * tokens, so that a small object is not averaged away by its background.
 */
import { normal, type Params, stopGradient, type Tensor } from "../../graph/index.ts";
import { layerNorm, linear } from "../../nn/index.ts";
import type { Value } from "../../runtime/index.ts";
import { type CaptionTokenizer, SPECIALS } from "../../text/caption-tokenizer.ts";

/** Captions in which words are counted, to know how rare they are. */
const COUNTED = 4000;

/** Targets of word classification for the batches of a stage. */
export class WordTargets {
  readonly #tokenizer: CaptionTokenizer;
  readonly #length: number;
  readonly #sample: (count: number) => Promise<readonly string[]>;
  #weights: Promise<Float32Array> | undefined;

  /** @param sample returns that many training captions, in which words are counted once */
  constructor(tokenizer: CaptionTokenizer, length: number, sample: (count: number) => Promise<readonly string[]>) {
    this.#tokenizer = tokenizer;
    this.#length = length;
    this.#sample = sample;
  }

  /** ids: i32 [B,L] of captions -> shares f32 [B,V]. */
  async shares(ids: Int32Array, captions: number): Promise<Value> {
    this.#weights ??= this.#count();
    const data = wordShares(ids, captions, await this.#weights);
    return { shape: [captions, this.#tokenizer.size], data };
  }

  async #count(): Promise<Float32Array> {
    const captions = await this.#sample(COUNTED);
    return wordWeights(this.#tokenizer.encode(captions, this.#length).ids, captions.length, this.#tokenizer.size);
  }
}

/** Weight of each word: log(captions / captions with it), 0 for special tokens. */
export function wordWeights(ids: Int32Array, captions: number, vocabulary: number): Float32Array {
  const length = ids.length / captions;
  const within = new Float32Array(vocabulary);
  for (let b = 0; b < captions; b++)
    for (const id of new Set(ids.subarray(b * length, (b + 1) * length))) within[id]! += 1;
  return within.map((n, id) => (id < SPECIALS.length ? 0 : Math.log((captions + 1) / (n + 1))));
}

/** Share of each word of a caption, by its weight. ids: i32 [B,L] -> f32 [B,V], rows sum to 1 (0 without any word). */
export function wordShares(ids: Int32Array, captions: number, weights: Float32Array): Float32Array {
  const [L, V] = [ids.length / captions, weights.length];
  const out = new Float32Array(captions * V);
  for (let b = 0; b < captions; b++) {
    const words = [...new Set(ids.subarray(b * L, (b + 1) * L))];
    const total = words.reduce((sum, id) => sum + (weights[id] ?? 0), 0);
    if (total > 0) for (const id of words) out[b * V + id] = (weights[id] ?? 0) / total;
  }
  return out;
}

/**
 * Cross entropy of the words. tokens: f32 [B,S,W] of the tower, or the causal embeddings; shares: f32 [B,V].
 * Keys `post_layernorm`, `words`.
 */
export function wordClassificationLoss(p: Params, tokens: Tensor, shares: Tensor): Tensor {
  const each = layerNorm(p.at("post_layernorm"), tokens, 1e-5);
  const named = linear(p.at("words"), each, shares.size(1), { init: normal(tokens.size(-1) ** -0.5) });
  return softMaximum(named).logSoftmax().mul(shares).sum(-1).mean().neg();
}

/** log of the sum of exp over the tokens. x: f32 [B,S,V] -> [B,V]. */
function softMaximum(x: Tensor): Tensor {
  const most = stopGradient(x.max(1, true));
  return x
    .sub(most)
    .exp()
    .sum(1)
    .log()
    .add(most.reshape([x.dim(0), x.size(2)]));
}
