import { expect, test } from "vitest";
import { input, Params } from "../graph/index.ts";
import { evaluate } from "../runtime/reference.ts";
import { denormalizeLatents, LatentStats, normalizeLatents } from "./latent-stats.ts";

test("statistics of each channel over all pictures and places", () => {
  const stats = new LatentStats(2);
  stats.add(Float32Array.of(1, 3, 7, 7), 2); // one picture: channel 0 is [1, 3], channel 1 [7, 7]
  stats.add(Float32Array.of(5, 7, 7, 7), 2);
  const { mean, deviation } = stats.result();
  expect([...mean]).toEqual([4, 7]);
  expect(deviation[0]).toBeCloseTo(Math.sqrt(5), 6);
  expect(deviation[1]).toBe(1); // it never varies
});

test("normalized by channel, and back", () => {
  const p = new Params();
  const z = input("z", [1, 2, 1, 2]);
  const normal = normalizeLatents(p, z);
  const params = (path: string): Float32Array =>
    path === "latents_mean" ? Float32Array.of(4, -1) : Float32Array.of(2, 0.5);
  const [there, back] = evaluate([normal, denormalizeLatents(p, normal)], { feeds: { z: [4, 8, -1, 0] }, params });
  expect([...there!.data]).toEqual([0, 2, 0, 2]);
  expect([...back!.data]).toEqual([4, 8, -1, 0]);
});
