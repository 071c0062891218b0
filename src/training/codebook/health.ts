/** How well a codebook is used, over a sliding window of codes. */

export interface CodebookHealth {
  /** Share of codes seen at least once, 0..1. */
  readonly usage: number;
  /** exp of the entropy of the code distribution, 1..K. */
  readonly perplexity: number;
  /** Entropy of the codes at each of the 32 positions, bits. */
  readonly entropyBits: readonly number[];
  /** Different codes in one picture, mean, 1..32: positions that all say the same are as good as one. */
  readonly distinct: number;
}

/** Health of codes i32 [N,32] (flat) out of K. */
export function codebookHealth(ids: Int32Array, codes: number, positions = 32): CodebookHealth {
  const all = new Float64Array(codes);
  const each = Array.from({ length: positions }, () => new Float64Array(codes));
  let [distinct, pictures] = [0, 0];
  for (let at = 0; at + positions <= ids.length; at += positions, pictures++)
    distinct += new Set(ids.subarray(at, at + positions)).size;
  for (const [i, id] of ids.entries()) {
    all[id] = all[id]! + 1;
    const row = each[i % positions]!;
    row[id] = row[id]! + 1;
  }
  const used = all.reduce((sum, n) => sum + Number(n > 0), 0);
  return {
    usage: used / codes,
    perplexity: 2 ** entropyBits(all),
    entropyBits: each.map(entropyBits),
    distinct: distinct / Math.max(pictures, 1),
  };
}

function entropyBits(counts: Float64Array): number {
  const total = counts.reduce((a, b) => a + b, 0);
  return counts.reduce((sum, n) => (n > 0 ? sum - (n / total) * Math.log2(n / total) : sum), 0);
}

/** The codes of the last steps. */
export class CodeWindow {
  readonly #steps: Int32Array[] = [];
  readonly #length: number;

  constructor(steps: number) {
    this.#length = steps;
  }

  get full(): boolean {
    return this.#steps.length === this.#length;
  }

  /** For a checkpoint: how many codes a step has, and the steps one after the other. */
  state(): Float32Array {
    return Float32Array.from([this.#steps[0]?.length ?? 0, ...this.#steps.flatMap((ids) => [...ids])]);
  }

  restore(state: Float32Array): void {
    const [perStep = 0] = state;
    this.#steps.length = 0;
    if (perStep === 0) return;
    for (let at = 1; at < state.length; at += perStep) this.add(Int32Array.from(state.subarray(at, at + perStep)));
  }

  add(ids: Int32Array): void {
    this.#steps.push(ids);
    if (this.#steps.length > this.#length) this.#steps.shift();
  }

  health(codes: number): CodebookHealth {
    const ids = new Int32Array(this.#steps.reduce((sum, s) => sum + s.length, 0));
    let at = 0;
    for (const step of this.#steps) {
      ids.set(step, at);
      at += step.length;
    }
    return codebookHealth(ids, codes);
  }
}

/** Warns when fewer codes are in use than there were: a codebook that begins to collapse seldom recovers by itself. */
export class UsageAlarm {
  #best = 0;
  #warned = false;

  /** As whole numbers, which float32 keeps exactly: the most codes in use, and whether it has warned. */
  state(codes: number): Float32Array {
    return Float32Array.of(Math.round(this.#best * codes), Number(this.#warned));
  }

  restore([used = 0, warned = 0]: Float32Array, codes: number): void {
    this.#best = used / codes;
    this.#warned = warned !== 0;
  }

  /** What to say about this usage (0..1), once for each fall below half of the best so far. */
  check(usage: number): string | undefined {
    this.#best = Math.max(this.#best, usage);
    const fallen = usage < this.#best / 2;
    const news = fallen && !this.#warned;
    this.#warned = fallen;
    if (!news) return undefined;
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    return `codebook usage fell to ${percent(usage)} from ${percent(this.#best)}. Try learn "ema" and reviveAfter 100.`;
  }
}
