/** Whether a language model still knows its language: the perplexity of texts it never learned, before and after. */
import { item } from "../../base/item.ts";
import type { TokenModel } from "../../language/generation/index.ts";

export interface TextScore {
  /** exp of the mean negative logarithm of each token's probability, given those before it. */
  readonly perplexity: number;
  /** Tokens that were predicted: all but the first of each text. */
  readonly tokens: number;
}

/** Texts that are read together. */
const BATCH = 16;

/**
 * Perplexity of the beginnings of texts. Every text counts with its first `length` tokens; shorter ones are left out.
 * @param texts ids of each text
 */
export async function textPerplexity(
  model: TokenModel,
  texts: readonly (readonly number[])[],
  length: number,
): Promise<TextScore> {
  const long = texts.filter((ids) => ids.length >= length);
  let [sum, tokens] = [0, 0];
  for (let at = 0; at < long.length; at += BATCH) {
    const some = long.slice(at, at + BATCH);
    const state = model.start();
    for (let i = 0; i + 1 < length; i++) {
      const logits = await state.read(some.map((ids) => [item(ids, i)]));
      for (const [b, ids] of some.entries()) sum += negativeLog(item(logits, b), item(ids, i + 1));
      tokens += some.length;
    }
  }
  return { perplexity: Math.exp(sum / Math.max(tokens, 1)), tokens };
}

/** -log softmax(logits)[id]. */
function negativeLog(logits: Float32Array, id: number): number {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0)) + most - item(logits, id);
}
