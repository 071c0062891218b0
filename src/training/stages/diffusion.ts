/**
 * Stage `diffusion`: a UNet learns to denoise latents given text features (as v1's Stable Diffusion), an image embedding
 * (as v2's unCLIP), or neither, so that guidance works. Frozen afterwards. Ho et al. 2020; Ho & Salimans 2022.
 *
 * It predicts the clean latents, which a small model learns faster than the noise.
 */
import { z } from "zod";
import { UsageError } from "../../base/errors.ts";
import { type NoiseSchedule, readNoiseSchedule } from "../../diffusion/index.ts";
import { input, type Tensor } from "../../graph/index.ts";
import { denoiser } from "../../image-decoder/training-graphs.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import type { UnetConfig } from "../../models/unet.ts";
import type { Value } from "../../runtime/index.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import type { Stage } from "../loop/loop.ts";
import { floatsOf, namedValue } from "../loop/values.ts";
import { cachedPictureData } from "../recipe/picture-keys.ts";
import { key, share, trainingKeys } from "../recipe/training-keys.ts";
import { defineStage } from "./definition.ts";
import { CLIP_SIZES } from "./sizes.ts";
import { sampleSheets } from "./diffusion-samples.ts";
import { clipFeatures, latentFeatures } from "./frozen-features.ts";
import { cachedPart, openCaptionedPictures } from "./picture-stage.ts";

const PREFIXES = ["unet", "conditioner"];

export const diffusion = defineStage({
  name: "diffusion",
  about: "A UNet that denoises latents given text features, an image embedding, or neither; then frozen.",
  paper: "stands for Stable Diffusion (arXiv 2307.08041, section 3.2)",
  recipe: z.strictObject({
    ...trainingKeys,
    data: cachedPictureData,
    textShare: key(share.default(0.45), "share of examples with text features only"),
    imageShare: key(share.default(0.45), "share of examples with the image embedding only; the rest has neither"),
    maxWeight: key(z.number().positive().default(5), "largest weight of an example, as in min-SNR (Hang et al. 2023)"),
  }),
  needs: ["clip", "vae"],
  owns: PREFIXES,
  sizes: [...CLIP_SIZES, "unet", "scheduler", "pipeline"],
  async build(c) {
    const opened = await openCaptionedPictures(c);
    const { data, sizes, config } = opened;
    const { unet, vae, decoder: files } = sizes;
    const { textShare, imageShare, maxWeight } = c.recipe;
    const clip = await clipFeatures(c, opened);
    const features = await cachedPart(c, data.train, c.recipe.data.cached, await latentFeatures(c, opened, clip));
    const stage = diffusionStage({
      ...{ config, unet, features, textShare, imageShare, maxWeight },
      schedule: readNoiseSchedule(files.scheduler, "scheduler"),
      emptyText: floatsOf(await clip.text([""]), "text"),
    });
    const { folder, runtime } = c;
    const decoder = await c.weights("vae");
    const { validation } = data;
    const evaluate = await sampleSheets({ folder, runtime, config, unet, vae, decoder, files, clip, validation });
    return { stage: { ...stage, evaluate } };
  },
});

interface DiffusionStageOptions {
  readonly config: SeedlingConfig;
  readonly unet: UnetConfig;
  readonly schedule: NoiseSchedule;
  /** Features of the pictures: `latents`, `text` and `image`. */
  readonly features: FeatureCache;
  /** Features of the empty caption, f32 [L,D]: text conditioning on nothing. */
  readonly emptyText: Float32Array;
  readonly textShare: number;
  readonly imageShare: number;
  readonly maxWeight: number;
}

function diffusionStage(options: DiffusionStageOptions): Stage {
  const { config, unet: sizes, schedule, features, emptyText } = options;
  if (schedule.predictionType !== "sample")
    throw new UsageError(`diffusion: expected prediction_type "sample", got "${schedule.predictionType}".`);
  const [C, side] = [sizes.outChannels, sizes.sampleSize];
  const { tokens: L, width: D } = config.text;
  const E = config.image.width;
  const latentLength = C * side * side;
  return {
    name: "diffusion",
    learns: sizes.inChannels > C ? PREFIXES : ["unet"],
    build(p, B) {
      const clean = input("clean", [B, C, side, side]);
      const noise = input("noise", [B, C, side, side]);
      const column = (name: string): Tensor => input(name, [B, 1, 1, 1]);
      const noisy = clean.mul(column("signalLevel")).add(noise.mul(column("noiseLevel")));
      const conditioning = { text: input("text", [B, L, D]), image: input("image", [B, E]) };
      const answer = denoiser(p, noisy, input("t", [B]), conditioning, sizes);
      const errors = answer.sub(clean).square().mean([1, 2, 3]); // [B]
      return { loss: errors.mul(input("weight", [B])).mean(), metrics: { squaredError: errors.mean() } };
    },
    async batch(micro, B, rng) {
      const { values } = await features.shuffledBatch(micro * B, B, ["latents", "text", "image"]);
      const [text, image] = [floatsOf(values, "text"), floatsOf(values, "image")];
      const noise = new Float32Array(B * latentLength);
      const [t, signal, sigma, weight] = [
        new Float32Array(B),
        new Float32Array(B),
        new Float32Array(B),
        new Float32Array(B),
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
      const column = (data: Float32Array): Value => ({ shape: [B, 1, 1, 1], data });
      return {
        clean: namedValue(values, "latents"),
        noise: { shape: [B, C, side, side], data: noise },
        signalLevel: column(signal),
        noiseLevel: column(sigma),
        t: { shape: [B], data: t },
        weight: { shape: [B], data: weight },
        text: namedValue(values, "text"),
        image: namedValue(values, "image"),
      };
    },
  };
}
