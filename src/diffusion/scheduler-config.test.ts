import { describe, expect, it } from "vitest";
import { readScheduler } from "./scheduler-config.ts";

describe("readScheduler", () => {
  it.each([
    [
      { _class_name: "HeunDiscreteScheduler" },
      'expected DDIMScheduler, PNDMScheduler, EulerDiscreteScheduler, DPMSolverMultistepScheduler, got "HeunDiscreteScheduler"',
    ],
    [{ _class_name: "PNDMScheduler" }, "expected skip_prk_steps true, got false. Use another scheduler"],
    [{ _class_name: "DDIMScheduler", thresholding: true }, "thresholding: Invalid input: expected false"],
    [{ _class_name: "DDIMScheduler", beta_schedule: "sigmoid" }, "beta_schedule: Invalid option"],
  ])("refuses what it would not reproduce: %o", (json, message) => {
    expect(() => readScheduler(json, "scheduler_config.json")).toThrow(`scheduler_config.json: ${message}`);
  });

  it("takes Stable Diffusion's file, unknown keys included", () => {
    const json = {
      _class_name: "PNDMScheduler",
      _diffusers_version: "0.2.2",
      beta_end: 0.012,
      beta_schedule: "scaled_linear",
      beta_start: 0.00085,
      num_train_timesteps: 1000,
      set_alpha_to_one: false,
      skip_prk_steps: true,
      steps_offset: 1,
      trained_betas: null,
      clip_sample: false,
    };
    const { timesteps } = readScheduler(json, "scheduler_config.json")(50);
    expect(timesteps.length).toBe(51);
    expect([timesteps[0], timesteps[1], timesteps[2], timesteps.at(-1)]).toEqual([981, 961, 961, 1]);
  });
});
