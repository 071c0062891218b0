import { describe, expect, it } from "vitest";
import { readScheduler } from "./scheduler-config.ts";

describe("readScheduler", () => {
  it.each([
    [
      { _class_name: "HeunDiscreteScheduler" },
      'expected DDIMScheduler, PNDMScheduler, EulerDiscreteScheduler, DPMSolverMultistepScheduler, got "HeunDiscreteScheduler"',
    ],
    [{ _class_name: "PNDMScheduler" }, "skip_prk_steps: expected true, got false. Use another scheduler"],
    [{ _class_name: "DDIMScheduler", thresholding: true }, "thresholding: Invalid input: expected false"],
    [{ _class_name: "DDIMScheduler", beta_schedule: "sigmoid" }, "beta_schedule: Invalid option"],
    [
      { _class_name: "DDIMScheduler", clip_samples: true },
      'expected settings of diffusers\' schedulers, got "clip_samples". Remove what does not change the numbers.',
    ],
    [{ _class_name: "DPMSolverMultistepScheduler", solver_order: 3 }, "solver_order: Invalid input: expected 2"],
    [{ _class_name: "DPMSolverMultistepScheduler", variance_type: "learned" }, "variance_type: Invalid option"],
    [{ _class_name: "EulerDiscreteScheduler", use_karras_sigmas: true }, "use_karras_sigmas: Invalid input"],
  ])("refuses what it would not reproduce: %o", (json, message) => {
    expect(() => readScheduler(json, "scheduler_config.json")).toThrow(`scheduler_config.json: ${message}`);
  });

  // Expected steps: diffusers' DPMSolverMultistepScheduler with this file.
  const clipped = {
    _class_name: "DPMSolverMultistepScheduler",
    beta_schedule: "squaredcos_cap_v2",
    set_alpha_to_one: false,
    skip_prk_steps: true,
    steps_offset: 1,
    timestep_spacing: "linspace",
    lambda_min_clipped: -5.1,
    lower_order_final: true,
    dynamic_thresholding_ratio: 0.995,
    sample_max_value: 1,
    variance_type: null,
  };
  it("leaves out the noisiest steps where lambda_min_clipped says so", () => {
    const steps = (json: unknown) => readScheduler(json, "scheduler_config.json")(5).timesteps;
    expect(steps(clipped)).toEqual([995, 796, 597, 398, 199]);
    expect(steps({ ...clipped, lambda_min_clipped: -Infinity })).toEqual([999, 799, 599, 400, 200]);
  });

  it("uses another sampler if it is named, whatever the settings of the file's own one", () => {
    const runge = { _class_name: "PNDMScheduler", beta_schedule: "scaled_linear", steps_offset: 1 };
    expect(() => readScheduler(runge, "scheduler_config.json")).toThrow("skip_prk_steps: expected true");
    expect(readScheduler(runge, "scheduler_config.json", "ddim")(5).timesteps).toEqual([801, 601, 401, 201, 1]);
    const unknown = { ...runge, _class_name: "HeunDiscreteScheduler" };
    expect(readScheduler(unknown, "scheduler_config.json", "euler")(2).timesteps).toHaveLength(2);
  });

  it("takes Stable Diffusion's file", () => {
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
