/**
 * A model folder taken apart into a run folder, the inverse of `assemble`: to continue from a stage, or to train a later
 * one on the user's own pictures, without the run that made the model.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../base/errors.ts";
import { quote } from "../../base/one-line.ts";
import { translateConfig, translateDecoderFiles } from "../../image-decoder/seedling-1.ts";
import { exists, makeFolder, writeFileAtomic } from "../../io/files.ts";
import { type ModelConfig, parseModelConfig } from "../../models/config.ts";
import { TEMPERATURE } from "../../models/contrastive.ts";
import { CaptionTokenizer } from "../../text/index.ts";
import {
  openSafetensors,
  readJsonFile,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "../../weights/index.ts";
import { weightsFile } from "../loop/weights-file.ts";
import { parseModelSizes } from "../recipe/model-sizes.ts";
import { STAGES } from "../stages/registry.ts";
import { isOwner } from "./assemble.ts";

/** The stages that train parameters of a model folder. */
const OWNERS = STAGES.filter(isOwner);
/** Files with weights, and the prefix that the names in them lack. */
const FILES = [
  ["model.safetensors", ""],
  ["unet/diffusion_pytorch_model.safetensors", "unet."],
  ["conditioner/diffusion_pytorch_model.safetensors", "conditioner."],
  ["vae/diffusion_pytorch_model.safetensors", "vae."],
] as const;
/** The same of a folder of the first format, whose diffusion model has a shape that is no longer trained. */
const FIRST_FILES = [
  ["model.safetensors", ""],
  ["vae/model.safetensors", ""],
] as const;
const TOKENIZER = "tokenizer.json";
const SIZES = "model.json";
const FLOATS = ["F32", "F16", "BF16"];

interface Opened {
  readonly file: SafetensorsFile;
  readonly prefix: string;
}

/**
 * Writes `<root>/<stage>/weights.safetensors` for every stage, the sizes of the model and the tokenizer of captions, or
 * nothing at all. What a model folder leaves out is missing: the encoder of the autoencoder, the head that does not
 * condition the diffusion model, parameters that only losses have. If an older folder lacks the temperature, it is set to
 * the published value. A folder of the first format gives no stage diffusion.
 * @returns the stages written
 * @throws SetupError if a file of the model is missing; InputError if one is damaged, quantized or of no stage, or if the
 * run folder has a chain already
 */
export async function disassemble(model: string, root: string): Promise<string[]> {
  const json = await readJsonFile(join(model, TOKENIZER), 16e6);
  new CaptionTokenizer(json as Record<string, unknown>); // throws if it is not a tokenizer
  const first = await exists(join(model, "scheduler.json"));
  const owners = OWNERS.filter(({ name }) => !(first && name === "diffusion"));
  const { sizes, stats } = await sizesOf(model, first);
  const paths = [join(root, TOKENIZER), join(root, SIZES), ...OWNERS.map(({ name }) => weightsFile(join(root, name)))];
  for (const path of paths)
    if (await exists(path)) throw new InputError(`${path}: expected a run folder without a chain. Name a new one.`);
  const files: Opened[] = [];
  try {
    for (const [name, prefix] of first ? FIRST_FILES : FILES) {
      if (prefix === "conditioner." && !(await exists(join(model, name)))) continue;
      const file = await openSafetensors(join(model, name));
      files.push({ file, prefix });
      for (const [path, { dtype }] of file.tensors) expectFloats(file.path, prefix + path, dtype);
    }
    for (const { name } of owners) await writeStage(name, files, root, name === "vae" ? stats : []);
    await writeFileAtomic(join(root, SIZES), `${JSON.stringify(sizes, null, 2)}\n`);
    await writeFileAtomic(join(root, TOKENIZER), `${JSON.stringify(json, null, 1)}\n`);
    return owners.map(({ name }) => name);
  } catch (error) {
    await Promise.all(paths.map((path) => rm(path, { force: true }))); // half a run folder would be in the way
    throw error;
  } finally {
    await Promise.all(files.map(({ file }) => file.close()));
  }
}

function expectFloats(file: string, path: string, dtype: string): void {
  if (!stageOf(path)) throw new InputError(`${file}: expected weights of the chain's stages, got ${quote(path)}.`);
  if (!FLOATS.includes(dtype) || path.endsWith(".scale"))
    throw new InputError(`${file}: expected floats, got ${dtype} in ${quote(path)}. Name the model it was made from.`);
}

/** @param more tensors that training keeps as weights and a finished model states in its config */
async function writeStage(
  stage: string,
  files: readonly Opened[],
  root: string,
  more: readonly TensorToWrite[],
): Promise<void> {
  const tensors: TensorToWrite[] = [...more];
  for (const { file, prefix } of files)
    for (const [stored, { shape }] of file.tensors) {
      const name = prefix + stored;
      if (stageOf(name) === stage) tensors.push({ name, dtype: "F32", shape, data: await file.readFloat32(stored) });
    }
  // Older folders lack it; the contrast of stage codebook reads it, frozen.
  if (stage === "causal-qformer" && !tensors.some(({ name }) => name === "temp"))
    tensors.push({ name: "temp", dtype: "F32", shape: [], data: Float32Array.of(TEMPERATURE) });
  await makeFolder(join(root, stage));
  await writeSafetensors(weightsFile(join(root, stage)), tensors);
}

/** The file of sizes that `assemble` needs, and mean and deviation of the latents where they are not weights. */
async function sizesOf(model: string, first: boolean): Promise<{ sizes: unknown; stats: readonly TensorToWrite[] }> {
  const read = async (name: string): Promise<Record<string, unknown>> =>
    (await readJsonFile(join(model, name))) as Record<string, unknown>;
  const { textEncoder, qformer, ...config } = parseModelConfig(
    translateConfig(await read("config.json")),
    join(model, "config.json"),
  );
  const { latents_mean: mean, latents_std: std, ...vae } = first ? {} : await read("vae/config.json");
  const decoder = first
    ? await translateDecoderFiles(model)
    : {
        unet: await read("unet/config.json"),
        vae,
        scheduler: await read("scheduler/scheduler_config.json"),
        pipeline: pick(await read("model_index.json"), ["num_inference_steps", "guidance_scale", "noise_scale"]),
      };
  const sizes = {
    about: `Sizes of ${model}.`,
    model: {
      ...config,
      ...bothHeads({ textEncoder, ...config }),
      textEncoder: { ...textEncoder, vocabulary: undefined },
      qformer: { ...qformer, vocabulary: undefined },
    },
    ...decoder,
  };
  parseModelSizes(sizes, model);
  const stats = Object.entries({ latents_mean: mean, latents_std: std }).flatMap(([name, list]): TensorToWrite[] => {
    const data = Array.isArray(list) ? Float32Array.from(list as number[]) : new Float32Array(0);
    return data.length === 0 ? [] : [{ name: `vae.${name}`, dtype: "F32", shape: [data.length], data }];
  });
  return { sizes, stats };
}

/** A folder holds one head only; the other one gets the same size. */
function bothHeads({
  image,
  text,
  textEncoder,
  clipWidth,
}: Omit<ModelConfig, "format" | "vision" | "qformer">): object {
  const layers = text?.layers ?? (image?.head.kind === "reverse" ? image.head.layers : 1);
  return {
    image: image ?? { width: clipWidth, head: { kind: "reverse", layers } },
    text: text ?? { tokens: textEncoder?.maxPositions, width: textEncoder?.width, layers },
  };
}

function pick(json: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.map((key) => [key, json[key]]));
}

function stageOf(path: string): string | undefined {
  const among = (prefixes: readonly string[]): boolean =>
    prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}.`));
  return OWNERS.find(({ owns }) => among(owns))?.name;
}
