/** Samples of a diffusion model while it learns: validation pictures from their captions and from what stands for them. */
import { join } from "node:path";
import { contactSheet } from "../../data/sheet.ts";
import { noiseLatents, readScheduler, sample } from "../../diffusion/index.ts";
import { peakSignalToNoise } from "../../evaluation/metrics/peak-signal-to-noise.ts";
import { fromTensor } from "../../image/index.ts";
import { draftLatents } from "../../image-decoder/draft-latents.ts";
import { denoiserGraph, vaeDecoderGraph } from "../../image-decoder/training-graphs.ts";
import type { DecoderFiles } from "../../image-decoder/write-decoder.ts";
import { writeFileAtomic } from "../../io/files.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import type { UnetConfig } from "../../models/unet.ts";
import { type VaeConfig, vaeFactor } from "../../models/vae.ts";
import { mapWeights, type Runtime, type Value } from "../../runtime/index.ts";
import { type Pictures, take } from "../data/pictures.ts";
import { plainPixels } from "../data/pixels.ts";
import type { Stage } from "../loop/loop.ts";
import { floatsOf, joinRows, namedValue } from "../loop/values.ts";
import type { ClipFeatures, FrozenFeatures } from "./frozen-features.ts";

/** Pictures and denoising steps: few, as training waits for them. */
const [COUNT, STEPS] = [12, 12];

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
  /** Features of captions. */
  readonly text: ClipFeatures["text"];
  /** What stands for a picture, and the name of that feature. */
  readonly pictures: FrozenFeatures;
  readonly picture: "image" | "draft";
  readonly validation: Pictures;
}

/**
 * An `evaluate` for the diffusion stage. It writes `samples-<step>.png` (originals, drafts if there are any, samples from
 * the picture's own embedding or draft, samples from the text) and returns the mean peak signal-to-noise ratio to the
 * originals, dB, which rewards what is right and blurred too: look at the sheet.
 */
export async function sampleSheets(options: SampleOptions): Promise<NonNullable<Stage["evaluate"]>> {
  const { folder, runtime, config, unet, vae } = options;
  const scheduler = readScheduler(options.files.scheduler, "scheduler");
  const { guidance_scale: guidanceScale, noise_scale = 1 } = options.files.pipeline;
  const noiseScale = options.picture === "draft" ? noise_scale : 1;
  const originals = await take(options.validation, 0, COUNT);
  const captions = originals.map(({ caption }) => caption);
  const picture = namedValue(await options.pictures.compute(originals), options.picture);
  const text = namedValue(await options.text(captions), "text");
  const nothing = {
    text: namedValue(await options.text(originals.map(() => "")), "text"),
    picture: { ...picture, data: new Float32Array(picture.data.length) },
  };
  const context = { text: stack(nothing.text, text), picture: stack(picture, nothing.picture) };
  const negativeContext = {
    text: stack(nothing.text, nothing.text),
    picture: stack(nothing.picture, nothing.picture),
  };
  const count = originals.length;
  const seeds = Array.from({ length: 2 * count }, (_, i) => i % count);
  const { outChannels: C, sampleSize: side } = unet;
  const noise = noiseLatents(seeds, [C, side, side]);
  const size = side * vaeFactor(vae);
  const pixels = plainPixels(originals, size).data as Float32Array;

  return async (weights, step) => {
    const program = await runtime.compile(denoiserGraph(unet, config.textEncoder.maxPositions), mapWeights(weights));
    const { data } = await sample({
      unet: async (x, t, condition) => floatsOf(await program.run({ ...condition, x, t }), "clean"),
      scheduler,
      steps: STEPS,
      latents: { ...noise, data: noise.data.map((x, i) => (i < noise.data.length / 2 ? x * noiseScale : x)) },
      context,
      negativeContext,
      guidanceScale,
    }).finally(() => program.close());
    const decoder = await runtime.compile(vaeDecoderGraph(vae, size), mapWeights(options.decoder));
    const drafts = options.picture === "draft" ? [draftLatents(picture, C)] : [];
    const latents = {
      shape: [(2 + drafts.length) * count, C, side, side],
      data: joinRows([...drafts, { data } as Value]),
    };
    const decoded = floatsOf(await decoder.run({ latents }).finally(() => decoder.close()), "pixels");
    const rows = [...drafts.map(() => "draft"), `from the ${options.picture}`, "from the text"];
    const samples = Array.from({ length: latents.shape[0] ?? 0 }, (_, i) => ({
      image: fromTensor(decoded, size, size, i),
      caption: rows[Math.floor(i / count)] ?? "",
    }));
    const sheet = await contactSheet([...originals, ...samples], { columns: count, zoom: 2 });
    await writeFileAtomic(join(folder, `samples-${String(step).padStart(6, "0")}.png`), sheet);
    const numbers = pixels.length / count;
    const decibels = (row: number): number => {
      const own = decoded.subarray(row * pixels.length, (row + 1) * pixels.length);
      return originals.reduce((sum, _, i) => sum + peakSignalToNoise(own, pixels, i, numbers), 0) / count;
    };
    const first = drafts.length;
    return {
      ...(first > 0 && { decibelsOfDraft: decibels(0) }),
      decibelsFromPicture: decibels(first),
      decibelsFromText: decibels(first + 1),
    };
  };
}

/** Two values of one shape, one after the other. */
function stack(a: Value, b: Value): Value {
  return { shape: [(a.shape[0] ?? 0) + (b.shape[0] ?? 0), ...a.shape.slice(1)], data: joinRows([a, b]) };
}
