/**
 * The trivial language model: the next token from the two before it, by counting. Witten-Bell smoothing (Witten & Bell
 * 1991, method C) down to single tokens and then to chance, so that every token has a probability.
 */

interface Context {
  total: number;
  /** How often each token came after it. */
  readonly next: Map<number, number>;
}

export class Trigram {
  readonly #vocabulary: number;
  readonly #contexts = new Map<number, Context>();

  constructor(vocabulary: number) {
    this.#vocabulary = vocabulary;
  }

  /** Counts a text; its first two tokens have shorter contexts. */
  learn(ids: readonly number[]): void {
    for (const [i, id] of ids.entries())
      for (const key of this.#keys(ids, i)) {
        const context = this.#contexts.get(key) ?? { total: 0, next: new Map() };
        if (context.total === 0) this.#contexts.set(key, context);
        context.total++;
        context.next.set(id, (context.next.get(id) ?? 0) + 1);
      }
  }

  /** Probability of `ids[i]` after the tokens before it, above 0. */
  probability(ids: readonly number[], i: number): number {
    let p = 1 / this.#vocabulary;
    for (const key of this.#keys(ids, i)) {
      const context = this.#contexts.get(key);
      if (!context) break; // no longer context is known either
      const kinds = context.next.size;
      p = ((context.next.get(ids[i]!) ?? 0) + kinds * p) / (context.total + kinds);
    }
    return p;
  }

  /** Mean nats of all tokens of some texts. */
  nats(texts: Iterable<readonly number[]>): number {
    let [sum, count] = [0, 0];
    for (const ids of texts)
      for (let i = 0; i < ids.length; i++) {
        sum -= Math.log(this.probability(ids, i));
        count++;
      }
    return sum / Math.max(count, 1);
  }

  /** Keys of the contexts of position i, the shortest first: none, one token, two tokens. */
  #keys(ids: readonly number[], i: number): number[] {
    const V = this.#vocabulary + 1;
    const keys = [0];
    if (i >= 1) keys.push(1 + ids[i - 1]!);
    if (i >= 2) keys.push(1 + ids[i - 1]! + V * (1 + ids[i - 2]!));
    return keys;
  }
}
