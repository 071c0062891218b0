/** A model folder of any kind -> the same with its linear layers as integers. It opens like any other. */
import type { Outputs } from "../graph/index.ts";
import { exists } from "../io/files.ts";
import { basename, join } from "../io/paths.ts";
import { readLmConfig } from "../models/lm-config.ts";
import { baseHash, readJsonFile, readPeftFolder, setBaseHash } from "../weights/index.ts";
import {
  linearWeights,
  lmMatrices,
  type PartToQuantize,
  type QuantizeReport,
  quantizeFiles,
} from "../weights/quantized/index.ts";
import type { QuantizeOptions as FileOptions } from "../weights/quantized/quantize-files.ts";
import { openSeedFolder } from "./seed-folder.ts";

export type { QuantizeReport } from "../weights/quantized/index.ts";

export interface QuantizeOptions extends Omit<FileOptions, "finish"> {
  /** Quantize the language model of the folder, `lm/`, too. Default false: it is copied as it is. */
  readonly languageModel?: boolean;
}

/**
 * Writes the new folder `to`; what is not quantized is copied. An adapter of a language model that is quantized
 * here records the quantized one as its base.
 * @throws UsageError for sizes that are not supported or a folder that exists; the errors of opening a model folder.
 */
export async function quantizeFolder(from: string, to: string, options: QuantizeOptions = {}): Promise<QuantizeReport> {
  const { languageModel = false, ...rest } = options;
  const parts = await partsOf(from);
  if (!languageModel) return quantizeFiles(from, to, parts, rest);
  const lm = { name: "lm/model.safetensors", from: "lm", roundable: await lmParts(join(from, "lm", "config.json")) };
  const finish = async (folder: string): Promise<void> => {
    const adapter = join(folder, "lm-adapter");
    if (!(await exists(adapter)) || (await readPeftFolder(adapter)).baseHash === undefined) return;
    await setBaseHash(adapter, await baseHash(join(folder, "lm")));
  };
  return quantizeFiles(from, to, [...parts, lm], { ...rest, finish });
}

async function partsOf(from: string): Promise<PartToQuantize[]> {
  const where = join(from, "config.json");
  if (await isLanguageModel(where)) return [{ name: "model.safetensors", from: ".", roundable: await lmParts(where) }];
  const { graphs, decoder } = await openSeedFolder(from);
  const own = part("model.safetensors", Object.values(graphs));
  // The autoencoder is nearly all convolutions, which stay as they are.
  const unet = decoder?.parts.unet;
  return unet ? [own, part(`unet/${basename(unet.weights.path)}`, [unet.outputs])] : [own];
}

function part(name: string, graphs: readonly Outputs[]): PartToQuantize {
  const tensors = linearWeights(graphs.flatMap((outputs) => Object.values(outputs)));
  return { name, roundable: new Map([...tensors].map((tensor) => [tensor, tensor])) };
}

async function lmParts(config: string): Promise<ReadonlyMap<string, string>> {
  return lmMatrices(readLmConfig(await readJsonFile(config), config));
}

/** The config of a Hugging Face folder has `model_type`, that of our own folders `format`. */
async function isLanguageModel(config: string): Promise<boolean> {
  const json = (await readJsonFile(config).catch(() => undefined)) as { model_type?: unknown } | undefined | null;
  return json?.model_type !== undefined && !("format" in json);
}
