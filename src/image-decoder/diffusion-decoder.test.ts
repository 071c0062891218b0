/** Whole pipelines against diffusers' recorded pictures (test/fixtures/diffusers), and folders in the shapes they are published in. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { RgbImage } from "../image/index.ts";
import { openSafetensors, type StoredDtype, type TensorToWrite, writeSafetensors } from "../weights/index.ts";
import type { GenerationEmbedding } from "./decoder.ts";
import { DiffusionDecoder, type DiffusionOptions } from "./diffusion-decoder.ts";

const fixtures = "test/fixtures/diffusers";
const opened: DiffusionDecoder[] = [];
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-diffusers-"));
});
afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
  await rm(root, { recursive: true });
});

async function open(folder: string): Promise<DiffusionDecoder> {
  const model = await DiffusionDecoder.fromPretrained(folder, { threads: 1 });
  opened.push(model);
  return model;
}

/** What is stored under `name` for picture b. */
async function recorded(folder: string, name: string, b: number): Promise<GenerationEmbedding> {
  const file = await openSafetensors(join(fixtures, folder, "io.safetensors"));
  const [, ...shape] = file.tensors.get(name)!.shape;
  const size = shape.reduce((x, y) => x * y, 1);
  const data = (await file.readFloat32(name)).slice(b * size, (b + 1) * size);
  await file.close();
  return { shape, data };
}

/** Largest difference to values in 0..1 at [3,Y,X], in steps of a byte; rounding alone makes 0.5. */
function difference({ width, height, data }: RgbImage, { shape, data: wanted }: GenerationEmbedding): number {
  expect([3, height, width]).toEqual(shape);
  let worst = 0;
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < width * height; i++)
      worst = Math.max(worst, Math.abs(data[i * 3 + c]! - 255 * wanted[c * width * height + i]!));
  return worst;
}

/** Picture b of the recorded pipeline. */
async function decodeAgain(model: DiffusionDecoder, folder: "sd1" | "unclip", b: number): Promise<RgbImage> {
  const io = (name: string) => recorded(folder, `pipeline.in.${name}`, b);
  const latents = (await io("latents")).data;
  const texts = { prompt: await io("positive"), negativePrompt: await io("negative") };
  const [from, options]: [GenerationEmbedding, DiffusionOptions] =
    folder === "sd1"
      ? [texts.prompt, { negative: texts.negativePrompt, guidanceScale: 7.5, noise: { latents } }]
      : [await io("image"), { ...texts, guidanceScale: 10, noise: { latents, image: (await io("noise.0")).data } }];
  return (await model.decode([from], { ...options, steps: 3 }))[0]!;
}

describe.each(["sd1", "unclip"] as const)("%s", (folder) => {
  let model: DiffusionDecoder;
  beforeAll(async () => {
    model = await open(join(fixtures, folder));
  });

  test.each([0, 1])("picture %i of the recorded pipeline", async (b) => {
    expect(model.imageSize).toBe(16);
    const wanted = await recorded(folder, "pipeline.pixels", b);
    expect(difference(await decodeAgain(model, folder, b), wanted)).toBeLessThan(0.51);
  });

  test("a picture depends on its embedding and seed, not on its batch; steps are counted", async () => {
    const name = folder === "sd1" ? "positive" : "image";
    const [a, b] = [await recorded(folder, `pipeline.in.${name}`, 0), await recorded(folder, `pipeline.in.${name}`, 1)];
    const onStep = vi.fn();
    const both = await model.decode([a, b], { steps: 2, seed: [3, 4], batch: 2, onStep });
    expect(onStep.mock.lastCall).toEqual([3, 3]); // PNDM takes one more
    const alone = await model.decode([b], { steps: 2, seed: 4 });
    expect(Math.max(...both[1]!.data.map((x, i) => Math.abs(x - alone[0]!.data[i]!)))).toBeLessThanOrEqual(1);
    expect(await model.decode([b], { steps: 2, seed: 5 })).not.toEqual(alone);
    expect(await model.decode([b], { steps: 2, seed: 4, negative: a })).not.toEqual(alone);
    for (const scheduler of ["ddim", "euler", "dpm-solver"] as const)
      expect(await model.decode([b], { steps: 2, seed: 4, scheduler })).toHaveLength(1);
    const signal = AbortSignal.abort(new Error("stopped"));
    await expect(model.decode([a], { signal })).rejects.toThrow("stopped");
  });

  test("an embedding of another kind is refused", async () => {
    const other = await recorded(folder, `vae.in.pixels`, 0);
    await expect(model.decode([other])).rejects.toThrow(
      `decode: expected f32 [${folder === "sd1" ? "7,20" : "12"}], got [3,16,16] of 768 numbers. Stable Diffusion 1.x goes with`,
    );
  });
});

test("unclip: a picture's own embedding decodes, and the noise level tells", async () => {
  const model = await open(join(fixtures, "unclip"));
  const [embedding] = await model.embed(["examples/turtle.png"]);
  expect(embedding).toMatchObject({ shape: [12], data: expect.any(Float32Array) });
  const options = { steps: 2, seed: 1 };
  const [exact] = await model.decode([embedding!], options);
  expect(await model.decode([embedding!], { ...options, noiseLevel: 900 })).not.toEqual([exact]);
  await expect(model.decode([embedding!], { noiseLevel: 1000 })).rejects.toThrow("expected a step in 0..999, got 1000");
  await expect((await open(join(fixtures, "sd1"))).embed(["examples/turtle.png"])).rejects.toThrow("found none");
});

/** A copy of a fixture to change. */
async function copy(folder: string): Promise<string> {
  const path = await mkdtemp(join(root, "copy-"));
  await cp(join(fixtures, folder), path, { recursive: true });
  return path;
}

async function readTensors(path: string, dtype: StoredDtype = "F32"): Promise<TensorToWrite[]> {
  const file = await openSafetensors(path);
  const tensors: TensorToWrite[] = [];
  for (const [name, { shape }] of file.tensors)
    tensors.push({ name, dtype, shape, data: await file.readFloat32(name) });
  await file.close();
  return tensors;
}

async function replaceWeights(path: string, change: (tensors: TensorToWrite[]) => TensorToWrite[]): Promise<void> {
  await writeSafetensors(path, change(await readTensors(path)));
}

async function replaceJson(path: string, change: Record<string, unknown>): Promise<void> {
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), ...change }));
}

const WEIGHTS = "diffusion_pytorch_model.safetensors";

describe("folders as they are published", () => {
  test("old names, buffers and shards give the same picture", async () => {
    const folder = await copy("sd1");
    const old = { to_q: "query", to_k: "key", to_v: "value", "to_out.0": "proj_attn" };
    await replaceWeights(join(folder, "vae", WEIGHTS), (tensors) =>
      tensors.map((t) => ({
        ...t,
        name: t.name.replace(/(?<=attentions\.0\.)to_(q|k|v|out\.0)/, (x) => old[x as keyof typeof old]),
      })),
    );
    const ids = { name: "text_model.embeddings.position_ids", dtype: "I64", shape: [1, 7], data: new Float32Array(7) };
    await replaceWeights(join(folder, "text_encoder", "model.safetensors"), (tensors) => [
      ...tensors.map((t) => ({ ...t, name: `text_model.${t.name}` })),
      { ...ids, dtype: "F32" },
    ]);
    const unet = await readTensors(join(folder, "unet", WEIGHTS));
    const shards = [unet.slice(0, 40), unet.slice(40)];
    const map: Record<string, string> = {};
    for (const [i, shard] of shards.entries()) {
      const name = `diffusion_pytorch_model-0000${i + 1}-of-00002.safetensors`;
      await writeSafetensors(join(folder, "unet", name), shard);
      for (const t of shard) map[t.name] = name;
    }
    await rm(join(folder, "unet", WEIGHTS));
    await writeFile(join(folder, "unet", `${WEIGHTS}.index.json`), JSON.stringify({ weight_map: map }));
    const model = await open(folder);
    expect(await decodeAgain(model, "sd1", 0)).toEqual(await decodeAgain(await open(join(fixtures, "sd1")), "sd1", 0));
    expect((await model.features([""]))[0]!.shape).toEqual([7, 20]);
  });

  test("fp16 files are found and give nearly the same picture", async () => {
    const folder = await copy("unclip");
    for (const part of ["unet", "vae"]) {
      const half = await readTensors(join(folder, part, WEIGHTS), "F16");
      await rm(join(folder, part, WEIGHTS));
      await writeSafetensors(join(folder, part, "diffusion_pytorch_model.fp16.safetensors"), half);
    }
    await rm(join(folder, "image_encoder"), { recursive: true });
    const model = await open(folder);
    const wanted = await recorded("unclip", "pipeline.pixels", 0);
    expect(difference(await decodeAgain(model, "unclip", 0), wanted)).toBeLessThan(6);
    await expect(model.embed(["examples/turtle.png"])).rejects.toThrow("expected image_encoder of an unCLIP folder");
  });

  test("a tokenizer makes prompts readable: the recorded text features", async () => {
    const folder = await copy("sd1");
    const vocab = Object.fromEntries([
      ...Array.from({ length: 97 }, (_, i) => [i === 5 ? "f</w>" : i === 9 ? "j</w>" : `unused-${i}`, i] as const),
      ["<|startoftext|>", 97],
      ["<|endoftext|>", 98],
    ]);
    await mkdir(join(folder, "tokenizer"));
    await writeFile(join(folder, "tokenizer", "vocab.json"), JSON.stringify(vocab));
    await writeFile(join(folder, "tokenizer", "merges.txt"), "#version: 0.2\n");
    const [features] = await (await open(folder)).features(["F j"]);
    const wanted = await recorded("sd1", "text.out", 0);
    expect(features!.shape).toEqual(wanted.shape);
    expect(Math.max(...features!.data.map((x, i) => Math.abs(x - wanted.data[i]!)))).toBeLessThan(1e-5);
  });
});

describe("what is wrong is one line", () => {
  async function refusal(folder: string, code: number): Promise<string> {
    const error = await open(folder).then(
      () => expect.unreachable(),
      (e: unknown) => e as Error & { exitCode: number },
    );
    expect(error).toMatchObject({ exitCode: code, message: expect.stringMatching(/^[^\n]{10,1000}$/) });
    return error.message;
  }

  test("no folder, no index, another pipeline", async () => {
    expect(await refusal(join(root, "nowhere"), 3)).toContain("no such diffusers folder. Check the path.");
    expect(await refusal("examples", 4)).toContain("expected model_index.json, found none.");
    const folder = await copy("sd1");
    await replaceJson(join(folder, "model_index.json"), { _class_name: "FluxPipeline" });
    expect(await refusal(folder, 3)).toContain(
      'expected StableDiffusionPipeline or StableUnCLIPImg2ImgPipeline or SeedlingPipeline, got "FluxPipeline". Name another folder.',
    );
  });

  test("missing parts are named together, missing weights by their folder", async () => {
    const folder = await copy("unclip");
    await rm(join(folder, "image_normalizer", WEIGHTS));
    expect(await refusal(folder, 4)).toContain(
      `image_normalizer: expected ${WEIGHTS} or model.safetensors, found none.`,
    );
    await rm(join(folder, "vae"), { recursive: true });
    await rm(join(folder, "scheduler"), { recursive: true });
    expect(await refusal(folder, 4)).toBe(
      `${folder}: expected vae/config.json, scheduler/scheduler_config.json, found none. Copy the whole diffusers folder again.`,
    );
  });

  test("misshaped tensors, sizes that do not fit, a sampler that is not built", async () => {
    const folder = await copy("sd1");
    await replaceWeights(join(folder, "unet", WEIGHTS), ([first, ...rest]) => [
      { ...first!, shape: [...first!.shape, 1] },
      ...rest,
    ]);
    expect(await refusal(folder, 3)).toMatch(/unet.*safetensors: "conv_in\.bias": expected \[16\], got \[16,1\]/);
    const config = join(folder, "scheduler", "scheduler_config.json");
    await replaceJson(config, { _class_name: "UniPCMultistepScheduler" });
    expect(await refusal(folder, 3)).toContain('got "UniPCMultistepScheduler"');
    await replaceJson(config, { _class_name: "PNDMScheduler", skip_prk_steps: undefined });
    expect(await refusal(folder, 3)).toContain("skip_prk_steps: expected true, got false. Use another scheduler");
    await cp(join(fixtures, "sd1", "unet", WEIGHTS), join(folder, "unet", WEIGHTS));
    await (await DiffusionDecoder.fromPretrained(folder, { scheduler: "ddim" })).close();
    await replaceJson(join(folder, "unet", "config.json"), { cross_attention_dim: 24 });
    expect(await refusal(folder, 3)).toContain("cross_attention_dim in unet/config.json: expected 20, got 24");
  });
});
