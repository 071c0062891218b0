/** The finished stages of a run as one model folder that everything else opens. */
import { join } from "node:path";
import { InputError, SetupError } from "../../base/errors.ts";
import { Params, paramAttrs } from "../../graph/index.ts";
import { decoderParams, writeDecoder } from "../../image-decoder/write-decoder.ts";
import { seedGraphs } from "../../image-tokenizer/graphs.ts";
import { HEADS } from "../../image-tokenizer/seed-folder.ts";
import { exists, makeFolder, writeFileAtomic } from "../../io/files.ts";
import type { ModelConfig } from "../../models/config.ts";
import { TEMPERATURES } from "../../models/contrastive.ts";
import { initialValues } from "../../nn/index.ts";
import { CaptionTokenizer } from "../../text/index.ts";
import { readJsonFile, type TensorToWrite, writeSafetensors } from "../../weights/index.ts";
import { loadWeights, weightsFile } from "../loop/weights-file.ts";
import type { ModelSizes } from "../recipe/model-sizes.ts";
import type { StageDefinition } from "../stages/definition.ts";
import { STAGES } from "../stages/registry.ts";
import { readModelSizes } from "./read-recipe.ts";
import { folderOf } from "./run-stage.ts";
import { recordStages } from "./training-json.ts";

export interface AssembleOptions {
  /** Run folder. */
  readonly root: string;
  /** The model folder to write. */
  readonly out: string;
  /** Default: those of the run folder. */
  readonly sizes?: ModelSizes;
  /** The head that turns codes into what the image decoder reads; only that one is stored. "none": no decoder either. Default: the one that was trained. */
  readonly head?: "image" | "text" | "draft" | "none";
  /** Folders of finished stages that are not in the run folder, by stage. */
  readonly earlier?: Readonly<Record<string, string>>;
  /** The stages whose weights it has; a later one replaces what an earlier one has too. Default: all that a model needs. */
  readonly stages?: readonly string[];
  readonly dtype: "F32" | "F16";
  /** Random weights of this seed instead of trained ones: the baseline of every score. */
  readonly untrainedSeed?: number;
}

/** Writes the folder. @throws SetupError naming a stage whose weights are missing */
export async function assemble(options: AssembleOptions): Promise<void> {
  const { root, out, dtype, untrainedSeed } = options;
  if (!(await exists(root))) throw new InputError(`${root}: no such run folder. Check the path.`);
  if (!(await exists(join(root, "tokenizer.json"))))
    throw new InputError(
      `${root}: expected the run folder of a chain, found no tokenizer.json. Train its stages first.`,
    );
  const tokenizerJson = await readJsonFile(join(root, "tokenizer.json"), 16e6);
  const tokenizer = new CaptionTokenizer(tokenizerJson as Record<string, unknown>);
  const sizes = options.sizes ?? (await sizesOf(root));
  const { image, text, draft, ...rest } = sizes.config(tokenizer.size);
  const contextLength = rest.textEncoder.maxPositions;
  const trained = untrainedSeed === undefined ? await trainedWeights(options) : undefined;
  const kind = options.head ?? headIn(trained ?? (await trainedWeights(options).catch(() => undefined)));
  const head = { image: { image }, text: { text }, draft: { draft }, none: {} }[kind];
  const config: ModelConfig = { ...rest, ...head };
  const model = new Params();
  seedGraphs(config, model);
  const decoder = kind === "none" ? new Params() : decoderParams(sizes.decoder, contextLength, root);
  /** Trained numbers, or random ones; undefined if they are missing. */
  const weight = (path: string): Float32Array | undefined => {
    const t = model.declared().get(path) ?? decoder.declared().get(path);
    if (trained || !t) return trained?.get(path);
    const { shape, init } = paramAttrs(t);
    return initialValues(path, shape, init, untrainedSeed ?? 0);
  };
  const tensors: TensorToWrite[] = [...model.declared().values()].map(paramAttrs).map(({ path, shape }) => {
    const data = weight(path);
    if (!data) throw new SetupError(`${root}: expected trained weights of ${path}, found none. Run all stages.`);
    return { name: path, dtype, shape, data };
  });
  for (const path of TEMPERATURES) {
    const data = trained?.get(path);
    if (data) tensors.push({ name: path, dtype: "F32", shape: [], data });
  }
  await makeFolder(out);
  await writeSafetensors(join(out, "model.safetensors"), tensors, { format: "pt" });
  if (kind !== "none") await writeDecoder(out, sizes.decoder, { contextLength, dtype, weight });
  const json = (name: string, value: unknown): Promise<void> =>
    writeFileAtomic(join(out, name), `${JSON.stringify(value, null, 2)}\n`);
  await json("config.json", config);
  await json("tokenizer.json", tokenizerJson);
  const size = { height: config.vision.imageSize, width: config.vision.imageSize };
  const { mean, std } = rest.pixels;
  // A chain replaces this record by one that has its language model and evaluation too.
  if (!options.earlier && untrainedSeed === undefined)
    await recordStages(
      out,
      root,
      STAGES.filter(isOwner).map(({ name }) => name),
    );
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

/** The head that has trained weights; without any, that of published models. */
function headIn(trained: ReadonlyMap<string, unknown> | undefined): "image" | "text" | "draft" {
  const begins = new Set([...(trained?.keys() ?? [])].map((path) => path.split(".", 1)[0]));
  return (["draft", "text"] as const).find((head) => HEADS[head].some((name) => begins.has(name))) ?? "image";
}

async function trainedWeights(options: AssembleOptions): Promise<Map<string, Float32Array>> {
  const { stages = STAGES.filter(isOwner).map(({ name }) => name) } = options;
  const all = new Map<string, Float32Array>();
  for (const name of stages)
    for (const [path, data] of await loadWeights(weightsFile(folderOf(name, options)))) all.set(path, data);
  return all;
}

/** Whether a stage trains a part of every model folder. */
export function isOwner({ owns, replaces }: StageDefinition): boolean {
  return owns.length > 0 && !replaces;
}
