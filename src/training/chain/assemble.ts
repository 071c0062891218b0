/** The finished stages of a run as one model folder that everything else opens. */
import { join } from "node:path";
import { InputError, SetupError } from "../../base/errors.ts";
import { Params, paramAttrs } from "../../graph/index.ts";
import { seedGraphs, unetGraph, vaeDecoderGraph } from "../../image-tokenizer/graphs.ts";
import { exists, makeFolder, writeFileAtomic } from "../../io/files.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import { TEMPERATURES } from "../../models/contrastive.ts";
import { initialValues } from "../../nn/index.ts";
import { CaptionTokenizer } from "../../text/index.ts";
import { readJsonFile, type TensorToWrite, writeSafetensors } from "../../weights/index.ts";
import { loadWeights, weightsFile } from "../loop/weights-file.ts";
import type { ModelSizes } from "../recipe/model-sizes.ts";
import { STAGES } from "../stages/registry.ts";
import { readModelSizes } from "./read-recipe.ts";

export interface AssembleOptions {
  /** Run folder. */
  readonly root: string;
  /** The model folder to write. */
  readonly out: string;
  /** Default: those of the run folder. */
  readonly sizes?: ModelSizes;
  /** The head that conditions the diffusion model; only that one is stored. */
  readonly paintsFrom: "image" | "text";
  readonly dtype: "F32" | "F16";
  /** Random weights of this seed instead of trained ones: the baseline of every score. */
  readonly untrainedSeed?: number;
}

/** Writes the folder. @throws SetupError naming a stage whose weights are missing */
export async function assemble(options: AssembleOptions): Promise<void> {
  const { root, out, dtype, untrainedSeed } = options;
  const tokenizerJson = await readJsonFile(join(root, "tokenizer.json"), 16e6);
  const tokenizer = new CaptionTokenizer(tokenizerJson as Record<string, unknown>);
  const sizes = options.sizes ?? (await sizesOf(root));
  const config: SeedlingConfig = { ...sizes.config(tokenizer.size), paintsFrom: options.paintsFrom };
  const trained = untrainedSeed === undefined ? await trainedWeights(root) : undefined;
  const [model, unet, vae] = [new Params(), new Params(), new Params()];
  seedGraphs(config, model);
  unetGraph(sizes.unet, config, unet);
  vaeDecoderGraph(sizes.vae, config.vision.imageSize, vae);

  const write = async (name: string, params: Params, besides: readonly string[] = []): Promise<void> => {
    const tensors: TensorToWrite[] = [...params.declared().values()].map(paramAttrs).map(({ path, shape, init }) => {
      const data = trained ? trained.get(path) : initialValues(path, shape, init, untrainedSeed ?? 0);
      if (!data) throw new SetupError(`${root}: expected trained weights of ${path}, found none. Run all stages.`);
      return { name: path, dtype, shape, data };
    });
    for (const path of besides) {
      const data = trained?.get(path);
      if (data) tensors.push({ name: path, dtype: "F32", shape: [], data });
    }
    await writeSafetensors(join(out, name), tensors, { format: "pt" });
  };
  for (const part of ["unet", "vae"]) await makeFolder(join(out, part));
  await write("model.safetensors", model, TEMPERATURES);
  await write("unet/model.safetensors", unet);
  await write("vae/model.safetensors", vae);
  const json = (name: string, value: unknown): Promise<void> =>
    writeFileAtomic(join(out, name), `${JSON.stringify(value, null, 2)}\n`);
  await json("config.json", config);
  await json("unet/config.json", sizes.unet);
  await json("vae/config.json", sizes.vae);
  await json("scheduler.json", sizes.scheduler);
  await json("tokenizer.json", tokenizerJson);
  const size = { height: config.vision.imageSize, width: config.vision.imageSize };
  const { mean, std } = config.pixels;
  await json("preprocessor_config.json", {
    do_resize: true,
    size,
    resample: 3,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
    do_convert_rgb: true,
  });
}

async function sizesOf(root: string): Promise<ModelSizes> {
  const path = join(root, "model.json");
  if (!(await exists(path)))
    throw new InputError(
      `${path}: expected the sizes of the model, found none. Name the recipe that it was trained by.`,
    );
  return readModelSizes(path);
}

async function trainedWeights(root: string): Promise<Map<string, Float32Array>> {
  const all = new Map<string, Float32Array>();
  for (const { name } of STAGES.filter(({ owns }) => owns.length > 0))
    for (const [path, data] of await loadWeights(weightsFile(join(root, name)))) all.set(path, data);
  return all;
}
