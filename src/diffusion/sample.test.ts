import { describe, expect, it, test } from "vitest";
import type { Value, Values } from "../runtime/index.ts";
import { ddim } from "./ddim.ts";
import { dpmSolver } from "./dpm-solver.ts";
import { euler } from "./euler.ts";
import { NoiseSchedule, type PredictionType } from "./noise-schedule.ts";
import { pndm } from "./pndm.ts";
import { type Denoiser, noiseLatents, sample } from "./sample.ts";
import type { TimestepSpacing } from "./timesteps.ts";

const latents = noiseLatents([1, 2], [3]);
const context: Values = { goal: { shape: [2, 1], data: Float32Array.of(0.5, -2) } };
const negativeContext: Values = { goal: { shape: [2, 1], data: Float32Array.of(0, 1) } };

/** Answers goal + latents / 10 for every place. */
const simple: Denoiser = async ({ shape, data }, _, { goal }) => {
  const size = data.length / shape[0]!;
  return Float32Array.from(data, (x, i) => goal!.data[Math.floor(i / size)]! + x / 10);
};

const samplers = { ddim, pndm, euler, dpmSolver };
type Name = keyof typeof samplers;

// PNDM assumes equal strides, which only "leading" has, and extrapolates v, which is not constant even here.
describe("a model that knows the one true picture", () => {
  const truth = Float32Array.of(1, -0.5, 0.25);
  const all = (["ddim", "pndm", "euler", "dpmSolver"] as Name[]).flatMap((name) =>
    (["epsilon", "v_prediction", "sample"] as PredictionType[]).flatMap((type) =>
      (["leading", "linspace", "trailing"] as TimestepSpacing[]).map((spacing) => [name, type, spacing] as const),
    ),
  );
  test.each(all.filter(([name, type, spacing]) => name !== "pndm" || (type !== "sample" && spacing === "leading")))(
    "%s %s %s",
    async (name, type, spacing) => {
      const config = { predictionType: type, timestepSpacing: spacing, setAlphaToOne: true };
      const schedule = new NoiseSchedule(config);
      const oracle: Denoiser = async ({ data }, timesteps) => {
        const t = timesteps.data[0]!;
        const low = Math.floor(t);
        const sigma = (s: number): number => schedule.noise(s) / schedule.signal(s);
        const ratio = low === t ? sigma(t) : sigma(low) + (t - low) * (sigma(low + 1) - sigma(low));
        const [signal, noise] = [1 / Math.hypot(ratio, 1), ratio / Math.hypot(ratio, 1)];
        return data.map((x, i) => {
          const e = (x - signal * truth[i]!) / noise;
          return { epsilon: e, v_prediction: signal * e - noise * truth[i]!, sample: truth[i]! }[type];
        }) as Float32Array;
      };
      const options = { unet: oracle, scheduler: samplers[name](config), latents: noiseLatents([7], [3]), context: {} };
      const { data } = await sample({ ...options, steps: 20 });
      for (const [i, x] of truth.entries()) expect(Math.abs(data[i]! - x)).toBeLessThan(name === "pndm" ? 1e-2 : 1e-3);
    },
  );
});

describe("guidance", () => {
  const run = (options: object): Promise<Value> =>
    sample({ unet: simple, scheduler: ddim(), steps: 4, latents, context, negativeContext, ...options });

  it("leads from the negative to the positive and beyond", async () => {
    const only = (goal: readonly number[]): Values => ({ goal: { shape: [2, 1], data: Float32Array.from(goal) } });
    const three = await run({ guidanceScale: 3 }); // 3 positive - 2 negative, since the model is linear in the goal
    const direct = await run({ context: only([1.5, -8]), guidanceScale: 1 });
    for (const [i, x] of direct.data.entries()) expect(three.data[i]).toBeCloseTo(x, 4);
  });

  it("is not computed at scale 1", async () => {
    let batch = 0;
    const unet: Denoiser = (x, t, c) => {
      batch = Math.max(batch, x.shape[0]!);
      return simple(x, t, c);
    };
    await run({ unet });
    expect(batch).toBe(2);
    await run({ unet, guidanceScale: 2 });
    expect(batch).toBe(4);
  });

  it("asks for a negative context of the same shapes", async () => {
    await expect(run({ guidanceScale: 2, negativeContext: undefined })).rejects.toThrow(
      "sample: expected a negative context for guidance scale 2, got none.",
    );
    const other = { goal: { shape: [2, 2], data: new Float32Array(4) } };
    await expect(run({ guidanceScale: 2, negativeContext: other })).rejects.toThrow(
      "sample: expected goal of batch 2 and one shape in both contexts, got [2,1] and negative [2,2].",
    );
  });
});

describe("sample", () => {
  it("gives a picture the same values alone and in a batch", async () => {
    const options = { unet: simple, scheduler: pndm(), steps: 5 };
    const both = await sample({ ...options, latents, context });
    const second = { goal: { shape: [1, 1], data: Float32Array.of(-2) } };
    const alone = await sample({ ...options, latents: noiseLatents([2], [3]), context: second });
    expect([...both.data.slice(3)]).toEqual([...alone.data]);
  });

  it("leaves the latents of the caller as they were", async () => {
    const before = [...latents.data];
    await sample({ unet: simple, scheduler: euler(), steps: 3, latents, context });
    expect([...latents.data]).toEqual(before);
  });

  it("stops between two evaluations when it is aborted", async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const promise = sample({
      unet: simple,
      scheduler: pndm(),
      steps: 9,
      latents,
      context,
      signal: stop.signal,
      onStep({ evaluation, evaluations }) {
        seen.push(`${evaluation} of ${evaluations}`);
        if (evaluation === 2) stop.abort(new Error("enough"));
      },
    });
    await expect(promise).rejects.toThrow("enough");
    expect(seen).toEqual(["1 of 10", "2 of 10"]);
  });

  it.each([0, 1.5, 1001])("refuses %d steps", async (steps) => {
    await expect(sample({ unet: simple, scheduler: ddim(), steps, latents, context })).rejects.toThrow(
      `sampling: expected 1 to 1000 steps, got ${steps}.`,
    );
  });
});
