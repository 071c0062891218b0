/**
 * Stage `vae`: the autoencoder in whose latents the diffusion model works; frozen afterwards. It stands for Stable
 * Diffusion's. Squared error of the pixels and a weak pull of the latents to a unit normal. Rombach et al. 2022, 3.1.
 */
import { join } from "node:path";
import { z } from "zod";
import { contactSheet } from "../../data/sheet.ts";
import { input } from "../../graph/index.ts";
import { fromTensor } from "../../image/index.ts";
import { vaeDecoderGraph, vaeEncoderGraph } from "../../image-decoder/training-graphs.ts";
import { writeFileAtomic } from "../../io/files.ts";
import { type VaeConfig, vaeDecode, vaeEncode, vaeFactor } from "../../models/vae.ts";
import { mse } from "../../nn/index.ts";
import { mapWeights, type Runtime, type Values } from "../../runtime/index.ts";
import { atMost, type Picture, type Pictures, take } from "../data/pictures.ts";
import { plainPixels } from "../data/pixels.ts";
import type { Stage, StepNews } from "../loop/loop.ts";
import { batches, floatsOf, namedValue, numberOf } from "../loop/values.ts";
import { pictureData } from "../recipe/picture-keys.ts";
import { key, trainingKeys, weight } from "../recipe/training-keys.ts";
import { defineStage } from "./definition.ts";
import { openPictures } from "./picture-stage.ts";

const PREFIX = "vae";

export const vae = defineStage({
  name: "vae",
  about: "The autoencoder in whose latents the diffusion model works; then frozen.",
  paper: "stands for Stable Diffusion's autoencoder (arXiv 2307.08041, section 3.2)",
  recipe: z.strictObject({
    ...trainingKeys,
    data: pictureData,
    divergence: key(weight.default(2e-4), "weight of the divergence of the latents from a unit normal"),
  }),
  needs: [],
  owns: [PREFIX],
  decoder: true,
  async build(c) {
    const { sizes, size, data } = await openPictures(c);
    const { train, validation } = data;
    const validationCount = atMost(validation, c.recipe.data.validation);
    const { folder, runtime } = c;
    const { divergence } = c.recipe;
    return {
      stage: vaeStage({ vae: sizes.vae, size, train, validation, validationCount, divergence, runtime, folder }),
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
  /** Weight of the divergence from a unit normal, per number of the latents. */
  readonly divergence: number;
  readonly runtime: Runtime;
  /** For sheets of pictures and their reconstructions. */
  readonly folder: string;
}

const SHOWN = 8;

function vaeStage(options: VaeStageOptions): Stage {
  const { vae, size, train } = options;
  const [C, side] = [vae.latentChannels, size / vaeFactor(vae)];
  const scale = new LatentScale();
  return {
    name: "vae",
    learns: [PREFIX],
    build(root, B) {
      const p = root.at(PREFIX);
      const pixels = input("pixels", [B, 3, size, size]);
      const { mean, logVariance } = vaeEncode(p, pixels.mul(2).sub(1), vae);
      const drawn = mean.add(
        logVariance
          .mul(0.5)
          .exp()
          .mul(input("noise", [B, C, side, side])),
      );
      const squaredError = mse(vaeDecode(p, drawn, vae).mul(0.5).add(0.5), pixels);
      const variance = logVariance.exp();
      const divergence = mean.square().add(variance).sub(logVariance).sub(1).mean().mul(0.5);
      const square = mean.square().add(variance).mean();
      return {
        loss: squaredError.add(divergence.mul(options.divergence)),
        metrics: { squaredError, divergence, square },
      };
    },
    async batch(micro, B, rng) {
      const noise = new Float32Array(B * C * side * side);
      rng.fillNormal(noise);
      return {
        pixels: plainPixels(await take(train, micro * B, B), size),
        noise: { shape: [B, C, side, side], data: noise },
      };
    },
    afterStep: async (_, outputs) => scale.afterStep(outputs),
    measured: () => new Map([[SCALE, Float32Array.of(scale.value)]]),
    state: () => scale.state(),
    restore: (state) => scale.restore(state),
    evaluate: (weights, step) => vaeScores(weights, step, options),
  };
}

const SCALE = `${PREFIX}.scaling_factor`;

/** What brings the latents of the last hundred steps to unit variance. */
class LatentScale {
  #square = 0;
  #weight = 0;

  /** 1 before the first step. */
  get value(): number {
    return this.#weight === 0 ? 1 : (this.#square / this.#weight) ** -0.5;
  }

  afterStep(outputs: Values): StepNews {
    // Rounded as they are stored, so that a resumed run has the same numbers.
    this.#square = Math.fround(0.99 * this.#square + 0.01 * numberOf(outputs, "square"));
    this.#weight = Math.fround(0.99 * this.#weight + 0.01);
    return { metrics: { scale: this.value } };
  }

  state(): Map<string, Float32Array> {
    return new Map([["scale", Float32Array.of(this.#square, this.#weight)]]);
  }

  restore(state: ReadonlyMap<string, Float32Array>): void {
    [this.#square, this.#weight] = (state.get("scale") ?? Float32Array.of(0, 0)) as unknown as [number, number];
  }
}

/** Mean peak signal-to-noise ratio of reconstructed validation pictures, dB, and a sheet of the first ones. */
async function vaeScores(
  weights: ReadonlyMap<string, Float32Array>,
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
    const row = 3 * size * size;
    for (const [b] of pictures.entries()) {
      let error = 0;
      for (let i = b * row; i < (b + 1) * row; i++) error += ((back[i] ?? 0) - (pixels.data[i] ?? 0)) ** 2;
      decibels -= 10 * Math.log10(Math.max(error / row, 1e-10));
    }
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
