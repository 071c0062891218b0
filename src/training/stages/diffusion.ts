/**
 * Stage `diffusion`: a UNet learns to denoise latents given text features (as v1's Stable Diffusion), what stands for the
 * picture (an image embedding as v2's unCLIP, or the draft that codes make, which is ours), or neither, so that guidance
 * works. Frozen afterwards. Ho et al. 2020; Ho & Salimans 2022.
 *
 * It predicts the clean latents, which a small model learns faster than the noise.
 */
import { z } from "zod";
import { InputError, UsageError } from "../../base/errors.ts";
import { type NoiseSchedule, readNoiseSchedule } from "../../diffusion/index.ts";
import { input, type Tensor } from "../../graph/index.ts";
import { denoiser, pictureShape } from "../../image-decoder/training-graphs.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import { draftChannels } from "../../models/draft.ts";
import type { UnetConfig } from "../../models/unet.ts";
import type { Value } from "../../runtime/index.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import type { Stage } from "../loop/loop.ts";
import { rowsOfPart } from "../loop/shares.ts";
import { floatsOf, namedValue } from "../loop/values.ts";
import { cachedPictureData } from "../recipe/picture-keys.ts";
import { key, share, trainingKeys } from "../recipe/training-keys.ts";
import { defineStage } from "./definition.ts";
import { sampleSheets } from "./diffusion-samples.ts";
import { causalFeatures, clipFeatures, draftFeatures, tokenizerWeights, withLatents } from "./frozen-features.ts";
import { cachedPart, openCaptionedPictures } from "./picture-stage.ts";
import { CLIP_SIZES } from "./sizes.ts";

const PREFIXES = ["unet", "conditioner"];

export const diffusion = defineStage({
  name: "diffusion",
  about: "A UNet that denoises latents given text features, an image embedding or a draft, or neither; then frozen.",
  paper: "stands for Stable Diffusion (arXiv 2307.08041, section 3.2)",
  recipe: z.strictObject({
    ...trainingKeys,
    data: cachedPictureData,
    textShare: key(share.default(0.45), "share of examples with text features only"),
    pictureShare: key(
      share.default(0.45),
      "share of examples with the image embedding or the draft only; the rest has neither",
    ),
    prefixes: key(
      share.default(0),
      "ours: share of pictures whose draft is made from a random number of their first codes, so that a few codes are decoded as well as possible; needs `missing` of the codebook in model.json",
    ),
    maxWeight: key(z.number().positive().default(5), "largest weight of an example, as in min-SNR (Hang et al. 2023)"),
  }),
  needs: ["clip", "vae"],
  sizes: [...CLIP_SIZES, "unet", "scheduler"],
  owns: PREFIXES,
  async build(c) {
    const opened = await openCaptionedPictures(c);
    const { data, sizes, config } = opened;
    const { unet, vae, decoder: files } = sizes;
    const { textShare, pictureShare, prefixes, maxWeight } = c.recipe;
    const shape = pictureShape(unet);
    const drafts = shape.length === 3;
    const { draft } = config;
    const channels = draft && draftChannels(draft, config.qformer.hidden);
    if (drafts && shape.join() !== [channels, draft?.size, draft?.size].join())
      throw new InputError(`${c.where}: expected a draft of [${shape}] in model.json, as its unet reads it.`);
    const clip = await clipFeatures(c, opened, drafts ? ["tokens", "text"] : ["image", "text"]);
    const seen = await withLatents(c, opened, clip);
    const causal = drafts && (await causalFeatures(c, opened, seen, await tokenizerWeights(c)));
    if (prefixes > 0 && !(drafts && config.codebook.missing))
      throw new InputError(
        `${c.where}: prefixes: expected drafts and codebook.missing in model.json, found none. Leave them out.`,
      );
    const features = causal ? await draftFeatures(c, opened, causal) : seen;
    const learned = causal && prefixes > 0 ? await draftFeatures(c, opened, causal, prefixes) : features;
    const stage = diffusionStage({
      ...{ config, unet, textShare, pictureShare, maxWeight },
      features: await cachedPart(c, data.train, c.recipe.data.cached, learned),
      picture: drafts ? "draft" : "image",
      schedule: readNoiseSchedule(files.scheduler, "scheduler"),
      emptyText: floatsOf(await clip.text([""]), "text"),
    });
    const { folder, runtime } = c;
    const decoder = await c.weights("vae");
    const { validation } = data;
    const sheets = { folder, runtime, config, unet, vae, decoder, files, validation };
    const evaluate = await sampleSheets({
      ...sheets,
      text: clip.text,
      pictures: features,
      picture: drafts ? "draft" : "image",
    });
    return { stage: { ...stage, evaluate } };
  },
});

interface DiffusionStageOptions {
  readonly config: SeedlingConfig;
  readonly unet: UnetConfig;
  readonly schedule: NoiseSchedule;
  /** Features of the pictures: `latents`, `text`, and `image` or `draft`. */
  readonly features: FeatureCache;
  readonly picture: "image" | "draft";
  /** Features of the empty caption, f32 [L,D]: text conditioning on nothing. */
  readonly emptyText: Float32Array;
  readonly textShare: number;
  readonly pictureShare: number;
  readonly maxWeight: number;
}

function diffusionStage(options: DiffusionStageOptions): Stage {
  const { config, unet: sizes, schedule, features, emptyText, textShare, pictureShare } = options;
  if (schedule.predictionType !== "sample")
    throw new UsageError(`diffusion: expected prediction_type "sample", got "${schedule.predictionType}".`);
  const [C, side] = [sizes.outChannels, sizes.sampleSize];
  const { tokens: L, width: D } = config.text;
  const latentLength = C * side * side;
  const shape = pictureShape(sizes);
  const pictureLength = shape.reduce((a, b) => a * b, 1);
  return {
    name: "diffusion",
    learns: shape.length === 1 && sizes.inChannels > C ? PREFIXES : ["unet"],
    build(p, B) {
      const clean = input("clean", [B, C, side, side]);
      const noise = input("noise", [B, C, side, side]);
      const column = (name: string): Tensor => input(name, [B, 1, 1, 1]);
      const noisy = clean.mul(column("signalLevel")).add(noise.mul(column("noiseLevel")));
      const conditioning = { text: input("text", [B, L, D]), picture: input("picture", [B, ...shape]) };
      const answer = denoiser(p, noisy, input("t", [B]), conditioning, sizes);
      const errors = answer.sub(clean).square().mean([1, 2, 3]); // [B]
      return { loss: errors.mul(input("weight", [B])).mean(), metrics: { squaredError: errors.mean() } };
    },
    async batch(part, rng) {
      const { values } = await features.shuffledBatch(part.examples, ["latents", "text", options.picture]);
      const [text, picture] = [floatsOf(values, "text"), floatsOf(values, options.picture)];
      const noise = new Float32Array(part.of * latentLength);
      rng.fillNormal(noise);
      const columns = () => new Float32Array(part.of);
      const [t, signal, sigma, weight] = [columns(), columns(), columns(), columns()];
      const modes = new Float64Array(part.of);
      for (let b = 0; b < part.of; b++) {
        const step = rng.int(schedule.steps);
        t[b] = step;
        signal[b] = schedule.signal(step);
        sigma[b] = schedule.noise(step);
        weight[b] = Math.min(schedule.at(step) / (1 - schedule.at(step)) + 1, options.maxWeight);
        modes[b] = rng.next();
      }
      for (const [b, row] of part.rows.entries()) {
        const mode = modes[row]!;
        if (mode >= textShare) text.set(emptyText, b * L * D);
        if (mode < textShare || mode >= textShare + pictureShare)
          picture.fill(0, b * pictureLength, (b + 1) * pictureLength);
      }
      const B = part.rows.length;
      const rows = (data: Float32Array<ArrayBuffer>, shape: readonly number[]): Value => ({
        shape: [B, ...shape],
        data: rowsOfPart(data, part),
      });
      return {
        clean: namedValue(values, "latents"),
        noise: rows(noise, [C, side, side]),
        signalLevel: rows(signal, [1, 1, 1]),
        noiseLevel: rows(sigma, [1, 1, 1]),
        t: rows(t, []),
        weight: rows(weight, []),
        text: namedValue(values, "text"),
        picture: namedValue(values, options.picture),
      };
    },
  };
}
