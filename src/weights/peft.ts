/**
 * Adapters as PEFT folders: `adapter_config.json` and `adapter_model.safetensors`, which the Python library loads too.
 *
 * Three kinds of tensors: low-rank matrices, whole modules trained beside them (`modules_to_save`: norms), and the rows of
 * new tokens (`trainable_token_indices`). PEFT puts "base_model.model." before every name of the base model.
 */
import { z } from "zod";
import { CheckpointError, InputError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { makeFolder, writeFileAtomic } from "../io/files.ts";
import { parseWith, readJsonFile } from "../io/json-file.ts";
import { join } from "../io/paths.ts";
import { isLoraPath, isTarget, type LoraConfig, mergeLora, type Weights } from "../models/lora.ts";
import { copyTensor } from "./copy-tensor.ts";
import type { StoredDtype } from "./dtypes.ts";
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
  /** By the paths of the model: `...lora_A.weight`, `...lora_B.weight`, `...added`, and whole weights in place of the base's. */
  readonly weights: Weights;
}

const PREFIX = "base_model.model.";
const DELTA = ".token_adapter.trainable_tokens_delta";
const ADDED = ".added";
const HASH_KEY = "base_hash";
const CONFIG_FILE = "adapter_config.json";
const WEIGHTS_FILE = "adapter_model.safetensors";
/** Fifty thousand token ids fit ten times. */
const MAX_CONFIG_BYTES = 10e6;

const off = z.literal(false).nullish();
const empty = z.record(z.string(), z.unknown()).refine((value) => Object.keys(value).length === 0, "expected {}");

/** What we compute; other variants of LoRA must be off. */
const parseConfig = parseWith(
  z.object({
    peft_type: z.literal("LORA"),
    r: z.int().min(1),
    lora_alpha: z.number().positive(),
    lora_dropout: z.number().min(0).max(0.99).default(0),
    target_modules: z.array(z.string()),
    bias: z.literal("none").default("none"),
    fan_in_fan_out: off,
    use_dora: off,
    use_rslora: off,
    rank_pattern: empty.nullish(),
    alpha_pattern: empty.nullish(),
    base_model_name_or_path: z.string().nullish(),
    trainable_token_indices: z.union([z.array(z.int()), z.record(z.string(), z.array(z.int()))]).nullish(),
  }),
);

/** @throws SetupError if a file is missing; InputError if it is damaged or of a kind of adapter that is not known here. */
export async function readPeftFolder(folder: string): Promise<Adapter> {
  const where = join(folder, CONFIG_FILE);
  const config = parseConfig(await readJsonFile(where, MAX_CONFIG_BYTES), where);
  const indices = config.trainable_token_indices ?? [];
  const first = firstAdded(Array.isArray(indices) ? [indices] : Object.values(indices), where);
  const file = await openSafetensors(join(folder, WEIGHTS_FILE));
  try {
    const weights = await readWeights(file);
    const hash = file.metadata.get(HASH_KEY);
    return {
      lora: { rank: config.r, alpha: config.lora_alpha, dropout: config.lora_dropout, targets: config.target_modules },
      ...(config.base_model_name_or_path && { base: config.base_model_name_or_path }),
      ...(hash && { baseHash: hash }),
      ...(first !== undefined && { firstAddedToken: first }),
      weights,
    };
  } finally {
    await file.close();
  }
}

/** The first of the ids, which must be the same run of numbers for every module. */
function firstAdded(lists: readonly (readonly number[])[], where: string): number | undefined {
  const first = lists[0]?.[0];
  for (const list of lists)
    for (const [i, id] of list.entries())
      if (id !== first! + i)
        throw new InputError(`${where}: expected token ids one after the other from ${first}, got ${id} at ${i}.`);
  return first;
}

async function readWeights(file: TensorFile): Promise<Weights> {
  const weights = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  const odd = [...file.tensors.keys()].filter((name) => !name.startsWith(PREFIX));
  if (odd.length > 0)
    throw new CheckpointError(`${file.path}: expected names that start with ${PREFIX}, got ${quote(odd[0]!)}.`, odd);
  for (const [name, { shape }] of file.tensors) {
    const inner = name.slice(PREFIX.length);
    const path = inner.endsWith(DELTA) ? inner.slice(0, -DELTA.length) + ADDED : inner;
    weights.set(path, { shape, data: await file.readFloat32(name) });
  }
  return weights;
}

/** Writes the folder; it is made if it is not there. @throws CheckpointError if a low-rank matrix is not at a target. */
export async function writePeftFolder(folder: string, adapter: Adapter, dtype: StoredDtype = "F32"): Promise<void> {
  const { lora, base, baseHash, firstAddedToken: first = 0, weights } = adapter;
  const stray = [...weights.keys()].filter(
    (path) => isLoraPath(path) && !isTarget(path.replace(/\.lora_[AB]\.weight$/, ""), lora),
  );
  if (stray.length > 0)
    throw new CheckpointError(
      `${folder}: expected low-rank matrices at ${lora.targets}, got ${quote(stray[0]!)}.`,
      stray,
    );
  const tensors = [...weights].map(([path, { shape, data }]): TensorToWrite => {
    const inner = path.endsWith(ADDED) ? path.slice(0, -ADDED.length) + DELTA : path;
    return { name: PREFIX + inner, dtype, shape, data };
  });
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: base ?? null,
    inference_mode: true,
    r: lora.rank,
    lora_alpha: lora.alpha,
    lora_dropout: lora.dropout,
    target_modules: lora.targets,
    bias: "none",
    fan_in_fan_out: false,
    use_dora: false,
    use_rslora: false,
    modules_to_save: wholeModules(weights),
    trainable_token_indices: tokenIndices(weights, first),
  };
  await makeFolder(folder);
  const metadata = { format: "pt", ...(baseHash && { [HASH_KEY]: baseHash }) };
  await writeSafetensors(join(folder, WEIGHTS_FILE), tensors, metadata);
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

/** Last names of the modules that are there as a whole. */
function wholeModules(weights: Weights): string[] | null {
  const whole = [...weights.keys()].filter((path) => !isLoraPath(path) && !path.endsWith(ADDED));
  const names = new Set(whole.map((path) => path.split(".").at(-2)!));
  return names.size > 0 ? [...names] : null;
}

function tokenIndices(weights: Weights, first: number): Record<string, number[]> | null {
  const added = [...weights].filter(([path]) => path.endsWith(ADDED));
  const entry = ([path, { shape }]: (typeof added)[number]): [string, number[]] => [
    path.slice(0, -ADDED.length).split(".").at(-1)!,
    Array.from({ length: shape[0]! }, (_, i) => first + i),
  ];
  return added.length > 0 ? Object.fromEntries(added.map(entry)) : null;
}

/** Base and adapter must fit before anything runs. @throws InputError naming the hashes, or every misshaped matrix. */
export function expectBase(
  adapter: Adapter,
  base: {
    readonly path: string;
    readonly hash?: string;
    readonly vocabulary: number;
    readonly shapes: ReadonlyMap<string, readonly number[]>;
  },
): void {
  const { baseHash, firstAddedToken, weights } = adapter;
  if (baseHash && base.hash) expectBaseHash(base.path, baseHash, base.hash);
  if (firstAddedToken !== undefined && firstAddedToken !== base.vocabulary)
    throw new InputError(
      `${base.path}: expected a vocabulary of ${firstAddedToken} tokens, as the adapter's base has, got ${base.vocabulary}. Name the right base.`,
    );
  const problems: string[] = [];
  for (const [path, { shape }] of weights) {
    const matrix = /^(.*)\.lora_([AB])\.weight$/.exec(path);
    const module = matrix?.[1] ?? path.replace(/\.(added|weight|bias)$/, "");
    const own = base.shapes.get(path.endsWith(".bias") ? path : `${module}.weight`);
    if (!own) problems.push(`${quote(module)} is not in the base`);
    else if (!fits(shape, own, matrix?.[2], path.endsWith(ADDED)))
      problems.push(`${quote(path)} is [${shape.join()}] for a weight of [${own.join()}]`);
  }
  if (problems.length === 0) return;
  const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
  throw new CheckpointError(
    `${base.path}: the adapter is for another base: ${problems.slice(0, 3).join("; ")}${more}.`,
    problems,
  );
}

/** @param wanted as the adapter records it @throws InputError naming both */
export function expectBaseHash(path: string, wanted: string, hash: string): void {
  if (wanted !== hash)
    throw new InputError(
      `${path}: expected the base of the adapter (hash ${wanted}), got another (${hash}). Name the right base.`,
    );
}

function fits(shape: readonly number[], own: readonly number[], matrix: string | undefined, added: boolean): boolean {
  if (matrix === "A") return shape[1] === own[1];
  if (matrix === "B") return shape[0] === own[0];
  return added ? shape[1] === own[1] : shape.join() === own.join();
}

/** Tensors of the merged model, one at a time: low-rank products added, new rows behind the old, whole modules replaced. */
export function mergeAdapter(
  base: Pick<TensorFile, "readFloat32"> & {
    readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  },
  { lora, weights }: Adapter,
  dtype: StoredDtype,
): TensorToWrite[] {
  return [...base.tensors].map(([name, { shape }]): TensorToWrite => {
    const path = name.replace(/\.weight$/, "");
    const [whole, added] = [weights.get(name), weights.get(path + ADDED)];
    if (whole) return { name, dtype, shape: whole.shape, data: whole.data };
    if (added) {
      const data = async (): Promise<Float32Array> => {
        const old = await base.readFloat32(name);
        const out = new Float32Array(old.length + added.data.length);
        out.set(old);
        out.set(added.data, old.length);
        return out;
      };
      return { name, dtype, shape: shape.with(0, shape[0]! + added.shape[0]!), data };
    }
    return { name, dtype, shape, data: async () => mergeLora(path, await base.readFloat32(name), weights, lora) };
  });
}
