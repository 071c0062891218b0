/**
 * Frozen features, computed once and kept on disk as float16, so that a later stage trains at the speed of what learns.
 * A cache is a folder of safetensors shards named by the hash of everything that the numbers depend on.
 */
import { type FileHandle, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { SeedlingError, SetupError } from "../../base/errors.ts";
import { permutation, Rng } from "../../base/rng.ts";
import { fileError, makeFolder, writeFileAtomic } from "../../io/files.ts";
import { hashOf } from "../../io/hash.ts";
import type { Value, Values } from "../../runtime/index.ts";
import { float16ArrayToFloat32, openSafetensors, type TensorToWrite, writeSafetensors } from "../../weights/index.ts";
import type { Work } from "../loop/loop.ts";
import { joined } from "../loop/values.ts";
import { type Picture, type Pictures, take } from "./pictures.ts";

const SHARD = 2000;
const CHUNK = 100;

export interface CacheOptions extends Work {
  readonly folder: string;
  readonly pictures: Pictures;
  readonly count: number;
  /** Everything that the features depend on besides the pictures: weights, preprocessing. */
  readonly key: string;
  /** Features of pictures, first axis = pictures. */
  readonly compute: (pictures: readonly Picture[]) => Promise<Values>;
  /** Features that follow from those of another cache of the same pictures, in place of `compute`. */
  readonly derived?: { readonly from: FeatureCache; readonly derive: (values: Values) => Promise<Values> } | undefined;
}

interface Shard {
  readonly file: FileHandle;
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly offset: number }>;
  readonly captions: readonly string[];
}

export interface CachedBatch {
  readonly values: Values;
  readonly captions: readonly string[];
}

/** Computes what is missing and opens the cache. After an interruption, finished shards are not computed again. */
export async function cacheFeatures(options: CacheOptions): Promise<FeatureCache> {
  const { pictures, count, onProgress } = options;
  const folder = join(options.folder, hashOf(pictures.identity, options.key, String(count)));
  await makeFolder(folder);
  const shards: Shard[] = [];
  try {
    for (let start = 0; start < count; start += SHARD) {
      const name = join(folder, `shard-${String(start / SHARD).padStart(5, "0")}`);
      let shard = await openShard(name);
      if (!shard) {
        await writeShard(name, start, Math.min(SHARD, count - start), options);
        shard = await openShard(name);
      }
      if (!shard) throw new SetupError(`${name}: written, but it cannot be read back. Check the disk and ulimit -n.`);
      shards.push(shard);
      onProgress?.(WHAT, Math.min(start + SHARD, count), count, "pictures");
    }
  } catch (error) {
    await Promise.all(shards.map(({ file }) => file.close()));
    throw error;
  }
  const own = new FeatureCache(shards, count, pictures.block);
  return options.derived ? own.with(options.derived.from) : own;
}

const WHAT = "computing features";

async function writeShard(name: string, start: number, size: number, options: CacheOptions): Promise<void> {
  const { pictures, compute, derived, signal, onProgress, count } = options;
  const captions: string[] = [];
  const parts: Values[] = [];
  for (let at = 0; at < size; at += CHUNK) {
    signal?.throwIfAborted();
    onProgress?.(WHAT, start + at, count, "pictures");
    const length = Math.min(CHUNK, size - at);
    if (derived) {
      const known = await derived.from.range(start + at, length);
      captions.push(...known.captions);
      parts.push(await derived.derive(known.values));
      continue;
    }
    const chunk = await take(pictures, start + at, length);
    captions.push(...chunk.map((p) => p.caption));
    parts.push(await compute(chunk));
  }
  const tensors = Object.entries(parts[0] ?? {}).map(([name, { shape }]): TensorToWrite => {
    return { name, dtype: "F16", shape: [size, ...shape.slice(1)], data: () => joined(parts, name) };
  });
  await rm(`${name}.safetensors`, { force: true }).catch((error: unknown) => {
    throw fileError(error, `${name}.safetensors`);
  });
  await writeFileAtomic(`${name}.json`, JSON.stringify(captions));
  await writeSafetensors(`${name}.safetensors`, tensors);
}

async function openShard(name: string): Promise<Shard | undefined> {
  let captions: string[];
  try {
    captions = JSON.parse(await readFile(`${name}.json`, "utf8")) as string[];
    const header = await openSafetensors(`${name}.safetensors`);
    const tensors = new Map(
      [...header.tensors].map(([key, info]) => [key, { shape: info.shape, offset: info.offset ?? 0 }]),
    );
    await header.close();
    return { file: await open(`${name}.safetensors`, "r"), tensors, captions };
  } catch {
    return undefined; // missing or damaged: computed again
  }
}

export class FeatureCache {
  readonly count: number;
  readonly #shards: readonly Shard[];
  readonly #block: number;
  /** Further features of the same pictures, where this cache does not have them itself. */
  #more: FeatureCache | undefined;
  #order: { epoch: number; indices: Uint32Array } | undefined;

  /** @param block examples in a row that stay together when the order is shuffled */
  constructor(shards: readonly Shard[], count: number, block = 1) {
    this.#shards = shards;
    this.#block = block;
    this.count = count;
  }

  /** This cache, and the features of another one of the same pictures. */
  with(more: FeatureCache): FeatureCache {
    const both = new FeatureCache(this.#shards, this.count, this.#block);
    both.#more = more;
    return both;
  }

  /** Example `position` of an endless sequence that goes through all whole blocks in a new order each epoch. */
  #shuffled(position: number): number {
    const block = this.count < this.#block ? 1 : this.#block;
    const blocks = Math.floor(this.count / block);
    const epoch = Math.floor(position / (blocks * block));
    if (this.#order?.epoch !== epoch) {
      this.#order = { epoch, indices: permutation(blocks, new Rng(epoch + 1)) };
    }
    const place = position % (blocks * block);
    return (this.#order.indices[Math.floor(place / block)] ?? 0) * block + (place % block);
  }

  /** The examples at some positions of the endless shuffled sequence. */
  shuffledBatch(positions: readonly number[], names?: readonly string[]): Promise<CachedBatch> {
    return this.batch(
      positions.map((position) => this.#shuffled(position)),
      names,
    );
  }

  /** Examples start..start+count in their order. */
  range(start: number, count: number, names?: readonly string[]): Promise<CachedBatch> {
    return this.batch(
      Array.from({ length: count }, (_, i) => start + i),
      names,
    );
  }

  /** Captions of the first examples, at most `most`. */
  async captions(most: number): Promise<readonly string[]> {
    return (await this.range(0, Math.min(most, this.count), [])).captions;
  }

  /** Features (all, or those named) and captions of some examples. */
  async batch(indices: readonly number[], names?: readonly string[]): Promise<CachedBatch> {
    const captions = indices.map((i) => this.#shard(i).captions[i % SHARD] ?? "");
    const own = this.#shard(0).tensors;
    const others = names?.filter((name) => !own.has(name));
    const values: Record<string, Value> = {
      ...(this.#more && others?.length !== 0 && (await this.#more.batch(indices, others)).values),
    };
    for (const [name, { shape }] of own) {
      if (names && !names.includes(name)) continue;
      const row = shape.slice(1).reduce((a, b) => a * b, 1);
      const halves = new Uint16Array(indices.length * row);
      const bytes = new Uint8Array(halves.buffer);
      await Promise.all(
        indices.map((i, at) => {
          const { file, tensors } = this.#shard(i);
          const offset = (tensors.get(name)?.offset ?? 0) + (i % SHARD) * row * 2;
          return file.read(bytes, at * row * 2, row * 2, offset);
        }),
      );
      values[name] = { shape: [indices.length, ...shape.slice(1)], data: float16ArrayToFloat32(halves) };
    }
    return { values, captions };
  }

  /** The shard with example `i`. */
  #shard(i: number): Shard {
    const shard = this.#shards[Math.floor(i / SHARD)];
    if (!shard) throw new SeedlingError(`features: expected an example below ${this.count}, got ${i}.`);
    return shard;
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.map((s) => s.file.close()));
    await this.#more?.close();
  }
}
