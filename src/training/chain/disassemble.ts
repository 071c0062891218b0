/**
 * A model folder taken apart into a run folder, the inverse of `assemble`: to continue from a stage, or to train a later
 * one on own pictures, without the run that made the model.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../base/errors.ts";
import { quote } from "../../base/one-line.ts";
import { exists, makeFolder, writeFileAtomic } from "../../io/files.ts";
import { TEMPERATURE } from "../../models/contrastive.ts";
import { CaptionTokenizer } from "../../text/index.ts";
import { openSafetensors, readJsonFile, type TensorToWrite, writeSafetensors } from "../../weights/index.ts";
import { weightsFile } from "../loop/weights-file.ts";
import { parseModelSizes } from "../recipe/model-sizes.ts";
import { STAGES } from "../stages/registry.ts";

/** The stages that train parameters of a model folder. */
const OWNERS = STAGES.filter(({ owns }) => owns.length > 0);
const FILES = ["model.safetensors", "unet/model.safetensors", "vae/model.safetensors"] as const;
const TOKENIZER = "tokenizer.json";
const SIZES = "model.json";
const FLOATS = ["F32", "F16", "BF16"];

type SafetensorsFile = Awaited<ReturnType<typeof openSafetensors>>;

/**
 * Writes `<root>/<stage>/weights.safetensors` for every stage, the sizes of the model and the tokenizer of captions, or
 * nothing. What a model folder leaves out is missing: the encoder of the autoencoder, the head that does not condition the
 * diffusion model, parameters that only losses have. A temperature that an older folder lacks is as published.
 * @returns the stages written
 * @throws SetupError if a file of the model is missing; InputError if one is damaged, quantized or of no stage, or if the
 * run folder has a chain already
 */
export async function disassemble(model: string, root: string): Promise<string[]> {
  const json = await readJsonFile(join(model, TOKENIZER), 16e6);
  new CaptionTokenizer(json as Record<string, unknown>); // throws if it is not a tokenizer
  const sizes = await sizesOf(model);
  const paths = [join(root, TOKENIZER), join(root, SIZES), ...OWNERS.map(({ name }) => weightsFile(join(root, name)))];
  for (const path of paths)
    if (await exists(path)) throw new InputError(`${path}: expected a run folder without a chain. Name a new one.`);
  const files: SafetensorsFile[] = [];
  try {
    for (const name of FILES) {
      const file = await openSafetensors(join(model, name));
      files.push(file);
      for (const [path, { dtype }] of file.tensors) expectFloats(file.path, path, dtype);
    }
    for (const { name } of OWNERS) await writeStage(name, files, root);
    await writeFileAtomic(join(root, SIZES), `${JSON.stringify(sizes, null, 2)}\n`);
    await writeFileAtomic(join(root, TOKENIZER), `${JSON.stringify(json, null, 1)}\n`);
    return OWNERS.map(({ name }) => name);
  } catch (error) {
    await Promise.all(paths.map((path) => rm(path, { force: true }))); // half a run folder would be in the way
    throw error;
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

function expectFloats(file: string, path: string, dtype: string): void {
  if (!stageOf(path)) throw new InputError(`${file}: expected weights of the chain's stages, got ${quote(path)}.`);
  if (!FLOATS.includes(dtype) || path.endsWith(".scale"))
    throw new InputError(`${file}: expected floats, got ${dtype} in ${quote(path)}. Name the model it was made from.`);
}

async function writeStage(stage: string, files: readonly SafetensorsFile[], root: string): Promise<void> {
  const tensors: TensorToWrite[] = [];
  for (const file of files)
    for (const [name, { shape }] of file.tensors)
      if (stageOf(name) === stage) tensors.push({ name, dtype: "F32", shape, data: await file.readFloat32(name) });
  // Older folders lack it; the contrast of stage codebook reads it, frozen.
  if (stage === "causal-qformer" && !tensors.some(({ name }) => name === "temp"))
    tensors.push({ name: "temp", dtype: "F32", shape: [], data: Float32Array.of(TEMPERATURE) });
  await makeFolder(join(root, stage));
  await writeSafetensors(weightsFile(join(root, stage)), tensors);
}

/** The file of sizes that `assemble` needs. */
async function sizesOf(model: string): Promise<unknown> {
  const read = async (name: string): Promise<Record<string, unknown>> =>
    (await readJsonFile(join(model, name))) as Record<string, unknown>;
  const { textEncoder, qformer, ...config } = await read("config.json");
  const without = (part: unknown): unknown => ({ ...(part as object), vocabulary: undefined });
  const json = {
    about: `Sizes of ${model}.`,
    model: { ...config, textEncoder: without(textEncoder), qformer: without(qformer) },
    unet: await read("unet/config.json"),
    vae: await read("vae/config.json"),
    scheduler: await read("scheduler.json"),
  };
  parseModelSizes(json, model);
  return json;
}

function stageOf(path: string): string | undefined {
  const among = (prefixes: readonly string[]): boolean =>
    prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}.`));
  return OWNERS.find(({ owns }) => among(owns))?.name;
}
