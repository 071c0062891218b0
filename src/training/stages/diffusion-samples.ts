/** Samples of a diffusion model while it learns: validation pictures from their captions and from their embeddings. */
import { join } from "node:path";
import { contactSheet } from "../../data/sheet.ts";
import { noiseLatents, readScheduler, sample } from "../../diffusion/index.ts";
import { fromTensor } from "../../image/index.ts";
import { denoiserGraph, vaeDecoderGraph } from "../../image-decoder/training-graphs.ts";
import type { DecoderFiles } from "../../image-decoder/write-decoder.ts";
import { writeFileAtomic } from "../../io/files.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import type { UnetConfig } from "../../models/unet.ts";
import { type VaeConfig, vaeFactor } from "../../models/vae.ts";
import { mapWeights, type Runtime, type Value } from "../../runtime/index.ts";
import { type Pictures, take } from "../data/pictures.ts";
import type { Stage } from "../loop/loop.ts";
import { floatsOf, joinRows, namedValue } from "../loop/values.ts";
import type { ClipFeatures } from "./frozen-features.ts";

/** Pictures and denoising steps: few, as training waits for them. */
const [COUNT, STEPS] = [8, 10];

export interface SampleOptions {
  /** Where the sheets go. */
  readonly folder: string;
  readonly runtime: Runtime;
  readonly config: SeedlingConfig;
  readonly unet: UnetConfig;
  readonly vae: VaeConfig;
  /** Weights of the autoencoder. */
  readonly decoder: ReadonlyMap<string, Float32Array>;
  readonly files: DecoderFiles;
  readonly clip: ClipFeatures;
  readonly validation: Pictures;
}

/**
 * An `evaluate` for the diffusion stage. It writes `samples-<step>.png` (originals, samples from the text, samples from
 * the image embedding) and returns the mean cosine of the CLIP embeddings of samples and originals.
 */
export async function sampleSheets(options: SampleOptions): Promise<NonNullable<Stage["evaluate"]>> {
  const { folder, runtime, config, unet, vae, clip } = options;
  const scheduler = readScheduler(options.files.scheduler, "scheduler");
  const { guidance_scale: guidanceScale } = options.files.pipeline;
  const originals = await take(options.validation, 0, COUNT);
  const conditioning = await clip.compute(originals);
  const [text, image] = [namedValue(conditioning, "text"), namedValue(conditioning, "image")];
  const nothing = {
    text: namedValue(await clip.text(originals.map(() => "")), "text"),
    image: { ...image, data: new Float32Array(image.data.length) },
  };
  const context = { text: stack(text, nothing.text), image: stack(nothing.image, image) };
  const negativeContext = { text: stack(nothing.text, nothing.text), image: stack(nothing.image, nothing.image) };
  const seeds = Array.from({ length: 2 * COUNT }, (_, i) => i % COUNT);
  const { outChannels: C, sampleSize: side } = unet;
  const size = side * vaeFactor(vae);

  return async (weights, step) => {
    const program = await runtime.compile(denoiserGraph(unet, config.textEncoder.maxPositions), mapWeights(weights));
    const { data } = await sample({
      unet: async (x, t, condition) => floatsOf(await program.run({ ...condition, x, t }), "clean"),
      scheduler,
      steps: STEPS,
      latents: noiseLatents(seeds, [C, side, side]),
      context,
      negativeContext,
      guidanceScale,
    }).finally(() => program.close());
    const decoder = await runtime.compile(vaeDecoderGraph(vae, size), mapWeights(options.decoder));
    const latents = { shape: [seeds.length, C, side, side], data };
    const pixels = floatsOf(await decoder.run({ latents }).finally(() => decoder.close()), "pixels");
    const samples = seeds.map((_, i) => ({
      image: fromTensor(pixels, size, size, i),
      caption: i < COUNT ? "from the text" : "from the image embedding",
    }));
    const sheet = await contactSheet([...originals, ...samples], { columns: COUNT, zoom: 2 });
    await writeFileAtomic(join(folder, `samples-${String(step).padStart(6, "0")}.png`), sheet);
    const seen = namedValue(await clip.compute(samples), "image");
    const cosines = seeds.map((seed, i) => meanProduct(row(seen, i), row(image, seed)));
    return { cosineFromText: mean(cosines.slice(0, COUNT)), cosineFromImage: mean(cosines.slice(COUNT)) };
  };
}

/** Two values of one shape, one after the other. */
function stack(a: Value, b: Value): Value {
  return { shape: [(a.shape[0] ?? 0) + (b.shape[0] ?? 0), ...a.shape.slice(1)], data: joinRows([a, b]) };
}

function row({ shape, data }: Value, i: number): Float32Array {
  const width = data.length / (shape[0] ?? 1);
  return (data as Float32Array).subarray(i * width, (i + 1) * width);
}

/** The cosine of two vectors whose root mean square is 1. */
function meanProduct(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0) / a.length;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
