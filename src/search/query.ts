/** What to look for. */

/** The unit vector between unit vectors, each of which counts the same: a text and a picture, for instance. */
export function between(vectors: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array(0), ...others] = vectors;
  if (others.length === 0) return first;
  const sum = first.map((value, k) => others.reduce((total, vector) => total + (vector[k] ?? 0), value));
  const length = Math.hypot(...sum) || 1;
  return sum.map((value) => value / length);
}
