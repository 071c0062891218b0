/** How well a codebook is used, over a sliding window of codes. */

export interface CodebookHealth {
  /** Share of codes seen at least once, 0..1. */
  readonly usage: number;
  /** exp of the entropy of the code distribution, 1..K. */
  readonly perplexity: number;
  /** Entropy of the codes at each of the 32 positions, bits. */
  readonly entropyBits: readonly number[];
  /** Different codes in one picture, mean, 1..32: positions that repeat one code carry no more than one. */
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
