/**
 * Stage `diffusion`: a UNet that paints from text features (as v1's Stable Diffusion does), from an image embedding (as
 * v2's unCLIP does) or from nothing, so that guidance works. Frozen afterwards. Ho et al. 2020; Ho & Salimans 2022.
 *
 * It predicts the clean latents, which a small model learns faster than the noise.
 */

import type { Rng } from "../../base/rng.ts";
import { NoiseSchedule, type NoiseScheduleConfig } from "../../diffusion/noise-schedule.ts";
import { input, type Params, type Tensor } from "../../graph/index.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import { type UnetConfig, unet } from "../../models/unet.ts";
import type { Values } from "../../runtime/index.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import type { Stage } from "../loop/loop.ts";

export const UNET_PREFIX = "unet";

export interface DiffusionStageOptions {
  readonly config: SeedlingConfig;
  readonly unet: UnetConfig;
  readonly noise: NoiseScheduleConfig;
  /** Features of the pictures: `latents`, `text` and `image`. */
  readonly features: FeatureCache;
  /** Features of the empty caption, f32 [L,D]: what "no text" means. */
  readonly emptyText: Float32Array;
  /** Shares of examples that see the text only and the image embedding only; the rest sees nothing. */
  readonly textShare: number;
  readonly imageShare: number;
  /** Largest weight of an example, as in min-SNR (Hang et al. 2023). */
  readonly maxWeight: number;
}

export function diffusionStage(options: DiffusionStageOptions): Stage {
  const { config, unet: sizes, features, emptyText } = options;
  const schedule = new NoiseSchedule({ ...options.noise, predictionType: "sample" });
  const [C, side] = [sizes.inChannels, sizes.sampleSize];
  const { tokens: L, width: D } = config.text;
  const E = config.image.width;
  const place = C * side * side;
  return {
    name: "diffusion",
    learns: [UNET_PREFIX],
    build(p: Params, B: number) {
      const clean = input("clean", [B, C, side, side]);
      const noise = input("noise", [B, C, side, side]);
      const column = (name: string): Tensor => input(name, [B, 1, 1, 1]);
      const noisy = clean.mul(column("signalLevel")).add(noise.mul(column("noiseLevel")));
      const answer = unet(
        p.at(UNET_PREFIX),
        noisy,
        input("t", [B]),
        input("text", [B, L, D]),
        sizes,
        input("image", [B, E]),
      );
      const errors = answer.sub(clean).square().mean([1, 2, 3]); // [B]
      return { loss: errors.mul(input("weight", [B])).mean(), metrics: { squaredError: errors.mean() } };
    },
    async batch(micro: number, B: number, rng: Rng): Promise<Values> {
      const { values } = await features.shuffledBatch(micro * B, B, ["latents", "text", "image"]);
      const text = values.text!.data as Float32Array;
      const image = values.image!.data as Float32Array;
      const noise = new Float32Array(B * place);
      const [t, signal, sigma, weight] = [0, 0, 0, 0].map(() => new Float32Array(B)) as Float32Array[] as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      rng.fillNormal(noise);
      for (let b = 0; b < B; b++) {
        const step = rng.int(schedule.steps);
        t[b] = step;
        signal[b] = schedule.signal(step);
        sigma[b] = schedule.noise(step);
        weight[b] = Math.min(schedule.at(step) / (1 - schedule.at(step)) + 1, options.maxWeight);
        const mode = rng.next();
        if (mode >= options.textShare) text.set(emptyText, b * L * D);
        if (mode < options.textShare || mode >= options.textShare + options.imageShare)
          image.fill(0, b * E, (b + 1) * E);
      }
      const column = (data: Float32Array): Values[string] => ({ shape: [B, 1, 1, 1], data });
      return {
        clean: values.latents!,
        noise: { shape: [B, C, side, side], data: noise },
        signalLevel: column(signal),
        noiseLevel: column(sigma),
        t: { shape: [B], data: t },
        weight: { shape: [B], data: weight },
        text: values.text!,
        image: values.image!,
      };
    },
  };
}
