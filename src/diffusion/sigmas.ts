/** Noise per unit of signal, for the samplers that think in it. */
import type { NoiseSchedule } from "./noise-schedule.ts";

/** noise(t) / signal(t), between training steps on a straight line. */
export function sigmaAt(schedule: NoiseSchedule, t: number): number {
  const sigma = (step: number): number => schedule.noise(step) / schedule.signal(step);
  const low = Math.floor(t);
  return low === t ? sigma(t) : sigma(low) + (t - low) * (sigma(low + 1) - sigma(low));
}
