import { expect, test } from "vitest";
import { flowMatchEuler } from "./flow-match-euler.ts";

test("sigmas are those of diffusers' FlowMatchEulerDiscreteScheduler", () => {
  // set_timesteps(4) with shift 1: numpy.linspace(1000, 1, 4).
  expect(flowMatchEuler()(4).timesteps).toEqual([1000, 667, 334, 1].map((t) => expect.closeTo(t, 9)));
  // With shift 3: the least sigma is 0.003 / 1.002 = 0.002994; the line is shifted again.
  const least = 0.003 / 1.002;
  const line = [1, 1 + (least - 1) / 2, least].map((s) => ((3 * s) / (1 + 2 * s)) * 1000);
  expect(flowMatchEuler({ shift: 3 })(3).timesteps).toEqual(line.map((t) => expect.closeTo(t, 9)));
});

test("a model that knows the clean sample leads straight to it, in any number of steps", () => {
  const [clean, noise] = [Float32Array.of(0.5, -2, 3), Float32Array.of(1, 0.25, -1)];
  for (const steps of [1, 2, 25]) {
    const run = flowMatchEuler({ shift: 3 })(steps);
    const velocity = noise.map((e, i) => e - clean[i]!);
    let sample: Float32Array = noise.map((e) => e * run.initSigma);
    for (let i = 0; i < steps; i++) sample = run.step(velocity, i, run.scaleInput(sample, i));
    expect([...sample]).toEqual([...clean].map((x) => expect.closeTo(x, 5)));
  }
});

test("the number of steps is checked", () => {
  expect(() => flowMatchEuler()(0)).toThrow("sampling: expected 1 to 1000 steps, got 0.");
  expect(() => flowMatchEuler({ trainSteps: 10 })(11)).toThrow("sampling: expected 1 to 10 steps, got 11.");
});
