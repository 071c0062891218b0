/**
 * UNet, VAE, CLIP encoders, samplers and whole pipelines against diffusers' recorded numbers (test/fixtures/diffusers), on ONNX Runtime.
 * Tolerance: of the largest magnitude in the tensor.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { gradients } from "../../src/autodiff/index.ts";
import {
  emptyClassVectors,
  readNoiseSchedule,
  readScheduler,
  sample,
  unclipClassVectors,
} from "../../src/diffusion/index.ts";
import { input, Params, type Tensor } from "../../src/graph/index.ts";
import { textEncoder } from "../../src/models/clip.ts";
import { readClipTextConfig, readClipVisionConfig } from "../../src/models/clip-config.ts";
import { clipVision } from "../../src/models/clip-vision.ts";
import { readUnetConfig, readVaeConfig } from "../../src/models/diffusers-config.ts";
import { type UnetConfig, unet } from "../../src/models/unet.ts";
import { latentsToPixels, type VaeConfig, vaeDecode, vaeEncode } from "../../src/models/vae.ts";
import { type Program, Runtime, type Value, type Values, type WeightSource } from "../../src/runtime/index.ts";
import { openSafetensors, readJsonFile } from "../../src/weights/index.ts";

const root = "test/fixtures/diffusers";
const TOLERANCE = 5e-5;
vi.setConfig({ testTimeout: 60_000 }); // whole models are compiled
const runtime = new Runtime({ threads: 1 });
afterAll(() => runtime.close());

/** Every tensor of a file. */
async function tensors(path: string): Promise<Values> {
  const file = await openSafetensors(join(root, path));
  const entries = [...file.tensors].map(async ([name, { shape }]): Promise<[string, Value]> => {
    const data = await file.read(name);
    return [name, { shape, data: data instanceof Int32Array ? data : await file.readFloat32(name) }];
  });
  const all = Object.fromEntries(await Promise.all(entries));
  await file.close();
  return all;
}

async function weights(path: string): Promise<WeightSource & { readonly names: string[] }> {
  const all = await tensors(path);
  const bytes = ({ data }: Value): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { names: Object.keys(all), get: (name) => all[name] && { dtype: "f32", data: bytes(all[name]) } };
}

const json = (path: string): Promise<unknown> => readJsonFile(join(root, path));

/** Largest difference, of the largest magnitude expected. */
function relativeError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (got.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let [worst, scale] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    const error = Math.abs(got[i]! - wanted[i]!);
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
    scale = Math.max(scale, Math.abs(wanted[i]!));
  }
  return worst / scale;
}

/** Names of all tensors beyond the tolerance, with their errors; names that start alike are all expected. */
function failures(got: Values, io: Values, prefix: string): string[] {
  const wanted = Object.keys(io).filter((name) => name.startsWith(prefix) && !/\.in\.|grad_norm/.test(name));
  expect(wanted.length).toBeGreaterThan(0);
  return wanted
    .map((name) => [name, got[name] ? relativeError(got[name].data, io[name]!.data) : "not computed"] as const)
    .filter(([, error]) => typeof error === "string" || error > TOLERANCE)
    .map(([name, error]) => `${name}: ${error}`);
}

interface UnetGraph {
  readonly p: Params;
  readonly out: Tensor;
}

/** Inputs latents, timesteps, context and perhaps class_embedding. */
function unetGraph(config: UnetConfig, batch: number | "B"): UnetGraph {
  const { inChannels, sampleSize, crossAttentionDim, projectionClassEmbeddingsInputDim: E } = config;
  const p = new Params();
  const latents = input("latents", [batch, inChannels, sampleSize, sampleSize]);
  const context = input("context", [batch, 7, crossAttentionDim]);
  const classes = E ? input("class_embedding", [batch, E]) : undefined;
  return { p, out: unet(p, latents, input("timesteps", [batch]), context, config, classes) };
}

function feeds(io: Values, prefix: string): Values {
  const names = Object.keys(io).filter((name) => name.startsWith(prefix));
  return Object.fromEntries(names.map((name) => [name.slice(prefix.length), io[name]!]));
}

async function compileUnet(folder: string, batch: number | "B"): Promise<Program> {
  const { out } = unetGraph(readUnetConfig(await json(`${folder}/unet/config.json`), folder), batch);
  return runtime.compile({ out }, await weights(`${folder}/unet/diffusion_pytorch_model.safetensors`));
}

describe.each(["sd1", "unclip"])("%s", (folder) => {
  test("UNet: every block, and no weight unused", async () => {
    const io = await tensors(`${folder}/io.safetensors`);
    const stored = await weights(`${folder}/unet/diffusion_pytorch_model.safetensors`);
    const { p, out } = unetGraph(readUnetConfig(await json(`${folder}/unet/config.json`), folder), "B");
    expect([...p.declared().keys()].sort()).toEqual(stored.names.sort());
    const program = await runtime.compile({ ...p.taps(), "unet.out": out }, stored);
    expect(failures(await program.run(feeds(io, "unet.in.")), io, "unet.")).toEqual([]);
  });

  test("UNet: the gradient of every parameter", async () => {
    const io = await tensors(`${folder}/io.safetensors`);
    const stored = await weights(`${folder}/unet/diffusion_pytorch_model.safetensors`);
    const { p, out } = unetGraph(readUnetConfig(await json(`${folder}/unet/config.json`), folder), 2);
    const names = [...p.declared().keys()];
    const grads = gradients(out.square().mean(), [...p.declared().values()]);
    const norms = Object.fromEntries(names.map((name, i) => [`norm ${name}`, grads[i]!.square().sum().sqrt()]));
    const got = await (await runtime.compile(norms, stored)).run(feeds(io, "unet.in."));
    const wrong = names.filter((name) => {
      const [a, b] = [got[`norm ${name}`]!.data[0]!, io[`unet.grad_norm.${name}`]!.data[0]!];
      return !(Math.abs(a - b) <= 1e-3 * b + 1e-7);
    });
    expect(wrong).toEqual([]);
  });

  test("VAE: every block, both ways", async () => {
    const io = await tensors(`${folder}/io.safetensors`);
    const stored = await weights(`${folder}/vae/diffusion_pytorch_model.safetensors`);
    const config = readVaeConfig(await json(`${folder}/vae/config.json`), folder);
    const p = new Params();
    const { mean, logVariance } = vaeEncode(p, input("pixels", ["B", 3, 16, 16]), config);
    const out = vaeDecode(p, mean, config);
    expect([...p.declared().keys()].sort()).toEqual(stored.names.sort());
    const outputs = { ...p.taps(), "vae.mean": mean, "vae.log_variance": logVariance, "vae.out": out };
    const got = await (await runtime.compile(outputs, stored)).run(feeds(io, "vae.in."));
    expect(failures(got, io, "vae.")).toEqual([]);
  });

  test("text encoder: every layer, and no weight unused", async () => {
    const io = await tensors(`${folder}/io.safetensors`);
    const stored = await weights(`${folder}/text_encoder/model.safetensors`);
    const config = readClipTextConfig(await json(`${folder}/text_encoder/config.json`), folder);
    const p = new Params();
    const out = textEncoder(p, input("ids", ["B", 7], "i32"), config);
    expect([...p.declared().keys()].sort()).toEqual(stored.names.sort());
    const program = await runtime.compile({ ...p.taps(), "text.out": out }, stored);
    expect(failures(await program.run(feeds(io, "text.in.")), io, "text.")).toEqual([]);
  });
});

test("unclip image encoder: every layer and the image embedding, and no weight unused", async () => {
  const io = await tensors("unclip/io.safetensors");
  const stored = await weights("unclip/image_encoder/model.safetensors");
  const config = readClipVisionConfig(await json("unclip/image_encoder/config.json"), "unclip");
  const p = new Params();
  const out = clipVision(p, input("pixels", ["B", 3, config.imageSize, config.imageSize]), config);
  expect([...p.declared().keys()].sort()).toEqual(stored.names.sort());
  const program = await runtime.compile({ ...p.taps(), "image.out": out }, stored);
  expect(failures(await program.run(feeds(io, "image.in.")), io, "image.")).toEqual([]);
});

describe("pipelines of three steps from fixed latents", () => {
  /** Latents after each evaluation and the picture, under the fixtures' names. */
  async function pipeline(folder: string, io: Values, guidanceScale: number, classes?: Value): Promise<Values> {
    const program = await compileUnet(folder, "B");
    const got: Record<string, Value> = {};
    const side = (name: string, vectors?: Value): Values => ({
      context: io[`pipeline.in.${name}`]!,
      ...(vectors ? { class_embedding: vectors } : {}),
    });
    const latents = await sample({
      unet: async (x, timesteps, context) =>
        (await program.run({ latents: x, timesteps, ...context })).out!.data as Float32Array,
      scheduler: readScheduler(await json(`${folder}/scheduler/scheduler_config.json`), folder),
      steps: 3,
      latents: io["pipeline.in.latents"]!,
      context: side("positive", classes),
      negativeContext: side("negative", classes && emptyClassVectors(2, classes.shape[1]! / 2)),
      guidanceScale,
      onStep: ({ evaluation, latents: data }) => {
        got[`pipeline.step.${evaluation - 1}`] = { shape: [2, 4, 8, 8], data };
      },
    });
    const config: VaeConfig = readVaeConfig(await json(`${folder}/vae/config.json`), folder);
    const pixels = latentsToPixels(new Params(), input("latents", ["B", 4, 8, 8]), config);
    const stored = await weights(`${folder}/vae/diffusion_pytorch_model.safetensors`);
    const decoded = await (await runtime.compile({ pixels }, stored)).run({ latents });
    return { ...got, "pipeline.pixels": decoded.pixels! };
  }

  test("Stable Diffusion 1", async () => {
    const io = await tensors("sd1/io.safetensors");
    expect(failures(await pipeline("sd1", io, 7.5), io, "pipeline.")).toEqual([]);
  });

  test("Stable Diffusion 2.1 unCLIP", async () => {
    const io = await tensors("unclip/io.safetensors");
    const { mean, std } = await tensors("unclip/image_normalizer/diffusion_pytorch_model.safetensors");
    const schedule = readNoiseSchedule(await json("unclip/image_noising_scheduler/scheduler_config.json"), "unclip");
    const normalizer = { mean: mean!.data as Float32Array, std: std!.data as Float32Array };
    const noised = (level: number): Value => {
      const noise = io[`pipeline.in.noise.${level}`]!.data as Float32Array;
      return unclipClassVectors(io["pipeline.in.image"]!, noise, { normalizer, level, schedule });
    };
    const got = await pipeline("unclip", io, 10, noised(0));
    const all = { ...got, "pipeline.noised.0": noised(0), "pipeline.noised.400": noised(400) };
    expect(failures(all, io, "pipeline.")).toEqual([]);
  });
});

interface SchedulerCase {
  readonly config: Record<string, unknown>;
  readonly steps: number;
  readonly timesteps: number[];
  readonly initSigma: number;
  readonly start: number[];
  readonly scaled: number[][];
  readonly outputs: number[][];
  readonly samples: number[][];
}

const cases = JSON.parse(await readFile(join(root, "schedulers.json"), "utf8")) as SchedulerCase[];

describe("samplers", () => {
  test.each(
    cases.map((c) => {
      const { _class_name, prediction_type, timestep_spacing, beta_schedule } = c.config;
      return [`${_class_name} ${prediction_type} ${timestep_spacing} ${beta_schedule} ${c.steps}`, c] as const;
    }),
  )("%s", (name, { config, steps, timesteps, initSigma, start, scaled, outputs, samples }) => {
    const run = readScheduler(config, name)(steps);
    expect(relativeError(run.timesteps, timesteps)).toBeLessThan(1e-6);
    expect(run.initSigma).toBeCloseTo(initSigma, 3);
    let x = Float32Array.from(start);
    for (const [i, output] of outputs.entries()) {
      expect(relativeError(run.scaleInput(x, i), scaled[i]!)).toBeLessThan(TOLERANCE);
      x = run.step(Float32Array.from(output), i, x) as typeof x;
      expect(relativeError(x, samples[i]!)).toBeLessThan(TOLERANCE);
    }
  });
});
