/**
 * A model folder taken apart into the run folder of a chain, the inverse of `assemble`: for whoever wants to go on from a
 * stage, or train a later one on their own pictures, without the run that made the model.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../base/errors.ts";
import { quote } from "../../base/one-line.ts";
import { exists, makeFolder, writeFileAtomic } from "../../io/files.ts";
import { TEMPERATURE } from "../../models/contrastive.ts";
import { CaptionTokenizer } from "../../text/index.ts";
import { openSafetensors, readJsonFile, type TensorToWrite, writeSafetensors } from "../../weights/index.ts";
import { QFORMER_PREFIXES } from "../stages/causal-qformer.ts";
import { CLIP_PREFIXES } from "../stages/clip.ts";
import { STAGE2_PREFIXES } from "../stages/codebook.ts";
import { UNET_PREFIX } from "../stages/diffusion.ts";
import { VAE_PREFIX } from "../stages/vae.ts";

/** Which stage learned what: names of weights up to a dot. */
const STAGES: Readonly<Record<string, readonly string[]>> = {
  clip: CLIP_PREFIXES,
  "causal-qformer": QFORMER_PREFIXES,
  codebook: STAGE2_PREFIXES,
  vae: [VAE_PREFIX],
  diffusion: [UNET_PREFIX],
};
const FILES = ["model.safetensors", "unet/model.safetensors", "vae/model.safetensors"] as const;
const TOKENIZER = "tokenizer.json";
const FLOATS = ["F32", "F16", "BF16"];

type SafetensorsFile = Awaited<ReturnType<typeof openSafetensors>>;

/**
 * Writes `<root>/<stage>/weights.safetensors` for every stage, and the captions' tokenizer, or nothing. What a model folder
 * leaves out (the encoder of the autoencoder, the head that does not paint, what was only trained with) is not there, but
 * for a temperature: it begins as published if the folder is older than its being kept.
 * @returns the stages written
 * @throws SetupError if a file of the model is missing; InputError if one is damaged, quantized or of no stage, or if the
 * run folder has a chain already
 */
export async function disassemble(model: string, root: string): Promise<string[]> {
  const json = await readJsonFile(join(model, TOKENIZER), 16e6);
  new CaptionTokenizer(json as Record<string, unknown>); // fails for what is none
  const paths = [TOKENIZER, ...Object.keys(STAGES).map(weightsOf)].map((path) => join(root, path));
  for (const path of paths)
    if (await exists(path)) throw new InputError(`${path}: expected a run folder without a chain. Name a new one.`);
  const files: SafetensorsFile[] = [];
  try {
    for (const name of FILES) {
      const file = await openSafetensors(join(model, name));
      files.push(file);
      for (const [path, { dtype }] of file.tensors) expectFloats(file.path, path, dtype);
    }
    for (const stage of Object.keys(STAGES)) await writeStage(stage, files, root);
    await writeFileAtomic(join(root, TOKENIZER), `${JSON.stringify(json, null, 1)}\n`);
    return Object.keys(STAGES);
  } catch (error) {
    await Promise.all(paths.map((path) => rm(path, { force: true }))); // a run folder that is half one would be in the way
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
  // Folders made before assemble kept it: the contrast of stage codebook reads it, frozen.
  if (stage === "causal-qformer" && !tensors.some(({ name }) => name === "temp"))
    tensors.push({ name: "temp", dtype: "F32", shape: [], data: Float32Array.of(TEMPERATURE) });
  await makeFolder(join(root, stage));
  await writeSafetensors(join(root, weightsOf(stage)), tensors);
}

const weightsOf = (stage: string): string => join(stage, "weights.safetensors");

function stageOf(path: string): string | undefined {
  const among = (prefixes: readonly string[]): boolean =>
    prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}.`));
  return Object.keys(STAGES).find((stage) => among(STAGES[stage]!));
}
