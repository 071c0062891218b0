/**
 * Adapters as PEFT folders: `adapter_config.json` and `adapter_model.safetensors`, which the Python library loads too.
 *
 * Three kinds of tensors: low-rank matrices, whole modules trained next to them (`modules_to_save`: norms), and the rows of
 * new tokens (`trainable_token_indices`). PEFT puts "base_model.model." before every name of the base model.
 */
import { CheckpointError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { makeFolder, writeFileAtomic } from "../io/files.ts";
import { readJsonFile } from "../io/json-file.ts";
import { join } from "../io/paths.ts";
import { isLoraPath, isTarget, type LoraConfig, type Weights } from "../models/lora.ts";
import { copyTensor } from "./copy-tensor.ts";
import type { StoredDtype } from "./dtypes.ts";
import { type PeftConfig, readPeftConfig, writePeftConfig } from "./peft-config.ts";
import { openSafetensors } from "./safetensors.ts";
import { type TensorToWrite, writeSafetensors } from "./safetensors-write.ts";
import type { TensorFile } from "./tensor-file.ts";

export interface Adapter {
  readonly lora: LoraConfig;
  /** Name or folder of the base model, for people. */
  readonly base?: string;
  /** Hash of the base's weights, if the writer knew it. */
  readonly baseHash?: string;
  /** The id of the first added token, which is the size of the base's vocabulary; absent if none is added. */
  readonly firstAddedToken?: number;
  /** By the paths of the model: `...lora_A.weight`, `...lora_B.weight`, `...added`, and whole weights that replace the base's. */
  readonly weights: Weights;
}

const PREFIX = "base_model.model.";
const DELTA = ".token_adapter.trainable_tokens_delta";
const ADDED = ".added";
const HASH_KEY = "base_hash";
const CONFIG_FILE = "adapter_config.json";
const WEIGHTS_FILE = "adapter_model.safetensors";
/** Ten times what fifty thousand token ids take. */
const MAX_CONFIG_BYTES = 10e6;

/**
 * Reads an adapter; whether it fits a base is checked by `expectBase`.
 * @throws InputError if a file is missing, damaged or asks for another kind of adapter.
 */
export async function readPeftFolder(folder: string): Promise<Adapter> {
  const where = join(folder, CONFIG_FILE);
  const config = readPeftConfig(await readJsonFile(where, MAX_CONFIG_BYTES), where);
  const { lora, base, tokens } = config;
  const file = await openSafetensors(join(folder, WEIGHTS_FILE));
  try {
    const weights = await readWeights(file);
    expectStored(weights, config, file.path);
    return { lora, base, baseHash: file.metadata.get(HASH_KEY), firstAddedToken: tokens?.first, weights };
  } finally {
    await file.close();
  }
}

async function readWeights(file: TensorFile): Promise<Weights> {
  const weights = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  const odd = [...file.tensors.keys()].filter((name) => !name.startsWith(PREFIX));
  const [first] = odd;
  if (first !== undefined)
    throw new CheckpointError(
      `${file.path}: expected names that start with ${PREFIX}, got ${quote(first)}. Save the adapter with PEFT.`,
      odd,
    );
  for (const [name, { shape }] of file.tensors) {
    const inner = name.slice(PREFIX.length);
    const path = inner.endsWith(DELTA) ? inner.slice(0, -DELTA.length) + ADDED : inner;
    weights.set(path, { shape, data: await file.readFloat32(name) });
  }
  return weights;
}

/** What the config lists, whole modules and rows of new tokens, must be stored. As in PEFT, names are ends of paths. */
function expectStored(weights: Weights, { wholeModules, tokens }: PeftConfig, where: string): void {
  const rows = [...weights].filter(([path]) => path.endsWith(ADDED)).map(([, { shape }]) => shape[0]);
  if ((tokens && rows.length === 0) || rows.some((count) => count !== tokens?.count))
    throw new CheckpointError(
      `${where}: expected rows of ${tokens?.count ?? "no"} new tokens, as trainable_token_indices lists, got ${rows[0] ?? "none"}. Copy the adapter again.`,
    );
  const stored = wholePaths(weights).map((path) => path.replace(/\.[^.]+$/, ""));
  const missing = wholeModules.filter((name) => !stored.some((path) => path.endsWith(name)));
  const [first] = missing;
  if (first !== undefined)
    throw new CheckpointError(
      `${where}: expected weights of ${quote(first)}, which modules_to_save lists, found none. Copy the adapter again.`,
      missing,
    );
}

/** Writes the folder, and makes it if it does not exist. @throws CheckpointError if a low-rank matrix is not at a target. */
export async function writePeftFolder(folder: string, adapter: Adapter, dtype: StoredDtype = "F32"): Promise<void> {
  const { lora, base, baseHash, firstAddedToken: first = 0, weights } = adapter;
  const stray = [...weights.keys()].filter(
    (path) => isLoraPath(path) && !isTarget(path.replace(/\.lora_[AB]\.weight$/, ""), lora),
  );
  const [one] = stray;
  if (one !== undefined)
    throw new CheckpointError(`${folder}: expected low-rank matrices at ${lora.targets}, got ${quote(one)}.`, stray);
  const tensors = [...weights].map(([path, { shape, data }]): TensorToWrite => {
    const inner = path.endsWith(ADDED) ? path.slice(0, -ADDED.length) + DELTA : path;
    return { name: PREFIX + inner, dtype, shape, data };
  });
  await makeFolder(folder);
  await writeSafetensors(join(folder, WEIGHTS_FILE), tensors, {
    format: "pt",
    ...(baseHash && { [HASH_KEY]: baseHash }),
  });
  const wholeModules = [...new Set(wholePaths(weights).map((path) => path.split(".").at(-2) ?? path))];
  const config = writePeftConfig({ lora, base, wholeModules }, tokenIndices(weights, first));
  await writeFileAtomic(join(folder, CONFIG_FILE), `${JSON.stringify(config, null, 2)}\n`);
}

/** Records another hash of the base in an adapter folder: that of the same base, stored in another form. */
export async function setBaseHash(folder: string, hash: string): Promise<void> {
  const path = join(folder, WEIGHTS_FILE);
  const file = await openSafetensors(path);
  try {
    const tensors = [...file.tensors.keys()].map((name) => copyTensor(file, name));
    await writeSafetensors(path, tensors, { ...Object.fromEntries(file.metadata), [HASH_KEY]: hash });
  } finally {
    await file.close();
  }
}

/** Paths of weights that replace the base's. */
function wholePaths(weights: Weights): string[] {
  return [...weights.keys()].filter((path) => !isLoraPath(path) && !path.endsWith(ADDED));
}

function tokenIndices(weights: Weights, first: number): Record<string, number[]> | null {
  const added = [...weights].filter(([path]) => path.endsWith(ADDED));
  const entry = ([path, { shape }]: (typeof added)[number]): [string, number[]] => [
    path.slice(0, -ADDED.length).replace(/^.*\./, ""),
    Array.from({ length: shape[0] ?? 0 }, (_, i) => first + i),
  ];
  return added.length > 0 ? Object.fromEntries(added.map(entry)) : null;
}
