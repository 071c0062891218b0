/**
 * Stage `vae`: the autoencoder in whose latents the diffusion model works; frozen afterwards. It stands for Stable
 * Diffusion's. It is trained on errors of pixels and of their gradients, with noise on the latents; afterwards mean and
 * deviation of each channel of the latents are measured, so that everything after it sees latents of unit variance.
 * Rombach et al. 2022, 3.1.
 */
import { join } from "node:path";
import { z } from "zod";
import { contactSheet } from "../../data/sheet.ts";
import { peakSignalToNoise } from "../../evaluation/metrics/peak-signal-to-noise.ts";
import { input, Params } from "../../graph/index.ts";
import { fromTensor } from "../../image/index.ts";
import { vaeDecoderGraph, vaeEncoderGraph } from "../../image-decoder/training-graphs.ts";
import { writeFileAtomic } from "../../io/files.ts";
import { LatentStats } from "../../models/latent-stats.ts";
import { type VaeConfig, vaeDecode, vaeEncode, vaeFactor } from "../../models/vae.ts";
import { mapWeights, type Runtime } from "../../runtime/index.ts";
import { atMost, type Picture, type Pictures, take, takeThose } from "../data/pictures.ts";
import { plainPixels } from "../data/pixels.ts";
import type { Stage } from "../loop/loop.ts";
import { rowsOfPart } from "../loop/shares.ts";
import { batches, floatsOf, namedValue } from "../loop/values.ts";
import { autoencoderLoss, autoencoderTerms, noisyForDecoder } from "../losses/autoencoder.ts";
import { pictureData } from "../recipe/picture-keys.ts";
import { key, share, trainingKeys } from "../recipe/training-keys.ts";

import { defineStage, type Weights } from "./definition.ts";
import { openPictures } from "./picture-stage.ts";

const PREFIX = "vae";

export const vae = defineStage({
  name: "vae",
  about: "The autoencoder in whose latents the diffusion model works; then frozen.",
  paper: "stands for Stable Diffusion's autoencoder (arXiv 2307.08041, section 3.2)",
  recipe: z.strictObject({
    ...trainingKeys,
    data: pictureData,
    latentNoise: key(
      share.default(0.3),
      "largest noise on the latents that are decoded, in standard deviations of their channel; each picture gets a random share of it",
    ),
  }),
  needs: [],
  owns: [PREFIX],
  sizes: ["vae", "model.vision.imageSize"],
  async build(c) {
    const { sizes, size, data } = await openPictures(c);
    const { train, validation } = data;
    const validationCount = atMost(validation, c.recipe.data.validation);
    const { folder, runtime } = c;
    const { latentNoise } = c.recipe;
    return {
      stage: vaeStage({ vae: sizes.vae, size, train, validation, validationCount, latentNoise, runtime, folder }),
    };
  },
});

interface VaeStageOptions {
  readonly vae: VaeConfig;
  /** Side of the pictures, px. */
  readonly size: number;
  readonly train: Pictures;
  readonly validation: Pictures;
  readonly validationCount: number;
  readonly latentNoise: number;
  readonly runtime: Runtime;
  /** For sheets of pictures and their reconstructions. */
  readonly folder: string;
}

/** Pictures on a sheet, and training pictures by which the latents are measured. */
const [SHOWN, MEASURED] = [8, 1000];

function vaeStage(options: VaeStageOptions): Stage {
  const { vae, size, train, latentNoise } = options;
  const [C, side] = [vae.latentChannels, size / vaeFactor(vae)];
  let stats: ReadonlyMap<string, Float32Array> = new Map();
  return {
    name: "vae",
    learns: [PREFIX],
    build(root, B, whole) {
      const p = root.at(PREFIX);
      const pixels = input("pixels", [B, 3, size, size]).mul(2).sub(1);
      const { mean } = vaeEncode(p, pixels, vae);
      const decoded = vaeDecode(p, noisyForDecoder(mean, input("noise", [B, C, side, side]), whole), vae);
      const terms = autoencoderTerms(decoded, pixels);
      return { loss: autoencoderLoss(terms, mean), metrics: { ...terms } };
    },
    async batch(part, rng) {
      const noise = new Float32Array(part.of * C * side * side);
      rng.fillNormal(noise);
      const each = noise.length / part.of;
      for (let b = 0; b < part.of; b++) {
        const scale = latentNoise * rng.next();
        for (let i = b * each; i < (b + 1) * each; i++) noise[i] = (noise[i] ?? 0) * scale;
      }
      return {
        pixels: plainPixels(await takeThose(train, part.examples), size),
        noise: { shape: [part.rows.length, C, side, side], data: rowsOfPart(noise, part) },
      };
    },
    measured: () => stats,
    async evaluate(weights, step) {
      stats = await latentStats(weights, options);
      return vaeScores(new Map([...weights, ...stats]), step, options);
    },
  };
}

/** Mean and deviation of each channel over the first training pictures. */
async function latentStats(
  weights: Weights,
  { vae, size, train, runtime }: VaeStageOptions,
): Promise<Map<string, Float32Array>> {
  const p = new Params();
  const outputs = { mean: vaeEncode(p.at(PREFIX), input("pixels", ["B", 3, size, size]).mul(2).sub(1), vae).mean };
  const program = await runtime.compile(outputs, mapWeights(weights));
  const stats = new LatentStats(vae.latentChannels);
  const area = (size / vaeFactor(vae)) ** 2;
  for (const { start, size: count } of batches(atMost(train, MEASURED), 50)) {
    const pixels = plainPixels(await take(train, start, count), size);
    stats.add(floatsOf(await program.run({ pixels }), "mean"), area);
  }
  await program.close();
  const { mean, deviation } = stats.result();
  return new Map([
    [`${PREFIX}.latents_mean`, mean],
    [`${PREFIX}.latents_std`, deviation],
  ]);
}

/** Mean peak signal-to-noise ratio of reconstructed validation pictures, dB, and a sheet of the first ones. */
async function vaeScores(
  weights: Weights,
  step: number,
  { vae, size, validation, validationCount, runtime, folder }: VaeStageOptions,
): Promise<Record<string, number>> {
  const encode = await runtime.compile(vaeEncoderGraph(vae, size), mapWeights(weights));
  const decode = await runtime.compile(vaeDecoderGraph(vae, size), mapWeights(weights));
  let [decibels, square, numbers] = [0, 0, 0];
  const shown: Picture[] = [];
  for (const { start, size: count } of batches(validationCount, 50)) {
    const pictures = await take(validation, start, count);
    const pixels = plainPixels(pictures, size);
    const latents = namedValue(await encode.run({ pixels }), "latents");
    const back = floatsOf(await decode.run({ latents }), "pixels");
    for (const [b] of pictures.entries()) decibels += peakSignalToNoise(back, pixels.data, b, 3 * size * size);
    for (const x of latents.data) square += x * x;
    numbers += latents.data.length;
    if (start === 0)
      for (const [b, { image }] of pictures.slice(0, SHOWN).entries())
        shown.push({ image, caption: "" }, { image: fromTensor(back, size, size, b), caption: "" });
  }
  await Promise.all([encode.close(), decode.close()]);
  const rows = [0, 1].flatMap((part) => shown.filter((_, i) => i % 2 === part));
  const sheet = await contactSheet(rows, { columns: SHOWN, zoom: 2 });
  await writeFileAtomic(join(folder, `samples-${String(step).padStart(6, "0")}.png`), sheet);
  return { decibels: decibels / validationCount, latentDeviation: (square / numbers) ** 0.5 };
}
