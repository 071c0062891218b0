import { expect, test } from "vitest";
import { peakSignalToNoise } from "./peak-signal-to-noise.ts";

test("a mean squared error of a hundredth is 20 dB; only the picture that was asked for counts", () => {
  const a = [0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5];
  const b = [1, 1, 1, 1, 0.6, 0.4, 0.6, 0.4];
  expect(peakSignalToNoise(a, b, 1, 4)).toBeCloseTo(20, 9);
  expect(peakSignalToNoise(a, b, 0, 4)).toBeCloseTo(0, 9);
  expect(peakSignalToNoise(a, [0, 0, 0, 1], 0, 4)).toBeCloseTo(10 * Math.log10(4), 9);
});

test("equal pictures are at 100 dB, not without bound", () => {
  expect(peakSignalToNoise([0.25, 0.75], [0.25, 0.75], 0, 2)).toBeCloseTo(100, 9);
});
