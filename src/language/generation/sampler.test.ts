import { describe, expect, it } from "vitest";
import { Sampler, type SamplingOptions } from "./sampler.ts";

/** Logits of shares. */
const logits = (...shares: number[]): Float32Array => Float32Array.from(shares, Math.log);

/** Which ids come in many draws, and how often. */
function draws(options: SamplingOptions, values: Float32Array, history: readonly number[] = []): number[] {
  const sampler = new Sampler(options);
  const counts = Array<number>(values.length).fill(0);
  for (let i = 0; i < 4000; i++) counts[sampler.next(values, history)]!++;
  return counts.map((count) => count / 4000);
}

const close = (got: readonly number[], wanted: readonly number[]): void => {
  expect(got.length).toBe(wanted.length);
  for (const [i, share] of wanted.entries()) expect(Math.abs(got[i]! - share)).toBeLessThan(0.03);
};

describe("sampling", () => {
  const four = logits(0.1, 0.4, 0.3, 0.2);

  it("draws by likelihood", () => close(draws({}, four), [0.1, 0.4, 0.3, 0.2]));
  it("takes the most likely at temperature 0", () => expect(draws({ temperature: 0 }, four)).toEqual([0, 1, 0, 0]));
  it("sharpens at a low temperature", () => close(draws({ temperature: 0.5 }, logits(0.2, 0.4)), [0.2, 0.8]));
  it("keeps the k most likely", () => close(draws({ topK: 2 }, four), [0, 4 / 7, 3 / 7, 0]));
  it("keeps what reaches a share, the token that crosses it too", () => {
    close(draws({ topP: 0.5 }, four), [0, 4 / 7, 3 / 7, 0]);
    close(draws({ topP: 0.39 }, four), [0, 1, 0, 0]);
    close(draws({ topP: 0.71 }, four), [0, 4 / 9, 3 / 9, 2 / 9]);
  });
  it("applies the share to what top-k has left", () => close(draws({ topK: 2, topP: 0.55 }, four), [0, 1, 0, 0]));
  it("drops what is far less likely than the best", () => close(draws({ minP: 0.6 }, four), [0, 4 / 7, 3 / 7, 0]));
  it("makes what was there less likely, whatever the sign of its logit", () => {
    const values = Float32Array.of(1, -1, 0.9);
    expect(draws({ temperature: 0, repetitionPenalty: 1.2 }, values, [0, 0, 1])).toEqual([0, 0, 1]);
    const two = Float32Array.of(-1, -1);
    close(draws({ repetitionPenalty: 2 }, two, [0]), [Math.exp(-1) / (1 + Math.exp(-1)), 1 / (1 + Math.exp(-1))]);
  });
  it("never takes what is forbidden", () => {
    const values = Float32Array.of(0, Number.NEGATIVE_INFINITY, 0);
    expect(draws({ repetitionPenalty: 1.5 }, values, [1])[1]).toBe(0);
  });
  it("repeats itself with a seed, and differs with another", () => {
    const run = (seed: number): number[] => {
      const sampler = new Sampler({ seed });
      return Array.from({ length: 40 }, () => sampler.next(four, []));
    };
    expect(run(3)).toEqual(run(3));
    expect(run(3)).not.toEqual(run(4));
  });
  it("leaves the logits as they were", () => {
    const values = four.slice();
    new Sampler({ temperature: 0.3, repetitionPenalty: 2 }).next(values, [1]);
    expect(values).toEqual(four);
  });
  it.each<[SamplingOptions, string]>([
    [{ temperature: -1 }, "sampling: expected temperature of at least 0, got -1."],
    [{ topK: 1.5 }, "sampling: expected topK a whole number of at least 0, got 1.5."],
    [{ topP: 0 }, "sampling: expected topP above 0 and at most 1, got 0."],
    [{ minP: 2 }, "sampling: expected minP within 0 and 1, got 2."],
    [{ repetitionPenalty: 0 }, "sampling: expected repetitionPenalty above 0, got 0."],
    [{ seed: 0.5 }, "sampling: expected seed a whole number, got 0.5."],
  ])("refuses %j", (options, message) => expect(() => new Sampler(options)).toThrow(message));
  it("says so when the model's numbers are none", () => {
    expect(() => new Sampler().next(Float32Array.of(Number.NaN, Number.NaN), [])).toThrow(
      "sampling: expected finite logits, got NaN.",
    );
  });
});
