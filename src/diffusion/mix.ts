/** The weighted sum of arrays of one length, added up in float64. */
export function mix(...terms: readonly (readonly [weight: number, values: Float32Array])[]): Float32Array {
  const out = new Float32Array(terms[0]?.[1].length ?? 0);
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (const [weight, values] of terms) sum += weight * values[i]!;
    out[i] = sum;
  }
  return out;
}
