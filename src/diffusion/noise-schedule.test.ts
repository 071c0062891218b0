import { describe, expect, it, test } from "vitest";
import { cleanAndNoise, NoiseSchedule, type PredictionType } from "./noise-schedule.ts";
import { IMAGE_NOISE, unclipClassVectors } from "./unclip.ts";

describe("NoiseSchedule", () => {
  it("has the published values of Stable Diffusion", () => {
    const schedule = new NoiseSchedule();
    expect(schedule.at(0)).toBeCloseTo(0.99915, 6);
    expect(schedule.at(999)).toBeCloseTo(0.00466, 5);
  });

  it("keeps the variance at every step", () => {
    for (const betaSchedule of ["linear", "scaled_linear", "squaredcos_cap_v2"] as const) {
      const schedule = new NoiseSchedule({ betaSchedule, trainSteps: 50 });
      for (let t = 0; t < 50; t++) expect(schedule.signal(t) ** 2 + schedule.noise(t) ** 2).toBeCloseTo(1, 12);
      for (let t = 1; t < 50; t++) expect(schedule.at(t)).toBeLessThan(schedule.at(t - 1));
    }
  });

  it("names a step that does not exist", () => {
    expect(() => new NoiseSchedule().at(1000)).toThrow("noise schedule: expected a step in 0..999, got 1000.");
  });

  test.each<PredictionType>(["epsilon", "v_prediction", "sample"])(
    "%s: the target says what sample and noise were",
    (type) => {
      const schedule = new NoiseSchedule({ predictionType: type });
      const [clean, noise] = [Float32Array.of(0.3, -1, 2), Float32Array.of(1.5, 0.2, -0.7)];
      for (const t of [0, 300, 999]) {
        const noisy = schedule.addNoise(clean, noise, t);
        const back = cleanAndNoise(
          type,
          schedule.target(clean, noise, t),
          noisy,
          schedule.signal(t),
          schedule.noise(t),
        );
        for (let i = 0; i < 3; i++) {
          expect(back.clean[i]).toBeCloseTo(clean[i]!, 4);
          expect(back.noise[i]).toBeCloseTo(noise[i]!, 4);
        }
      }
    },
  );
});

describe("unCLIP's image noise", () => {
  it("is not zero at level 0", () => {
    expect(1 - IMAGE_NOISE.at(0)).toBeCloseTo(4.1284e-5, 8);
    expect(IMAGE_NOISE.noise(0)).toBeCloseTo(0.006425, 6);
  });

  it("appends ones and zeros at level 0", () => {
    const normalizer = { mean: new Float32Array(4), std: new Float32Array(4).fill(1) };
    const embeddings = { shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) };
    const { shape, data } = unclipClassVectors(embeddings, new Float32Array(4), { normalizer });
    expect(shape).toEqual([1, 8]);
    expect([...data.slice(4)]).toEqual([1, 1, 0, 0]);
    expect(data[3]).toBeCloseTo(4 * Math.sqrt(1 - 4.1284e-5), 6);
  });

  it("names widths that differ", () => {
    const normalizer = { mean: new Float32Array(3), std: new Float32Array(3) };
    const embeddings = { shape: [1, 4], data: new Float32Array(4) };
    expect(() => unclipClassVectors(embeddings, new Float32Array(4), { normalizer })).toThrow(
      "unclip: expected a normalizer of width 4 and 4 noise values, got 3, 3 and 4.",
    );
  });
});
