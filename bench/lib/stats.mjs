/** Time and order statistics. */
import { performance } from "node:perf_hooks";

/** Milliseconds on the wall, and of processor time of all threads of this process. @param {() => Promise<unknown>} work */
export async function timed(work) {
  const [start, used] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(used);
  return { wall: performance.now() - start, cpu: (user + system) / 1000 };
}

/** Linear interpolation between the closest ranks. @param {readonly number[]} values @param {number} q in 0..1 */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low] + (sorted[Math.ceil(at)] - sorted[low]) * (at - low);
}

/** @param {readonly number[]} values */
export function median(values) {
  return quantile(values, 0.5);
}
