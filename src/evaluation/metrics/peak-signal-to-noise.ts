/** How near two pictures are, pixel by pixel. */

/**
 * Peak signal-to-noise ratio of picture `index` of two batches of pixels within 0..1, dB; at most 100.
 * @param size numbers of one picture
 */
export function peakSignalToNoise(a: ArrayLike<number>, b: ArrayLike<number>, index: number, size: number): number {
  let error = 0;
  for (let i = index * size; i < (index + 1) * size; i++) error += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return -10 * Math.log10(Math.max(error / size, 1e-10));
}
