/** Many results in batches: those that were computed before are taken from the log, the others are computed and added. */
import { readFile } from "node:fs/promises";
import { InputError } from "../../base/errors.ts";
import { reason } from "../../base/one-line.ts";
import type { Codes } from "../../codes/index.ts";
import { hashOf, sha256 } from "../../io/hash.ts";
import type { PaperModel, SeenPicture } from "./paper-model.ts";
import type { Problems } from "./problems.ts";
import { packFloats, unpackFloats, type WorkLog } from "./work-log.ts";

export interface WorkOptions {
  readonly log: WorkLog;
  /** Computed at a time, and written to the log together. Default 16. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (label: string, done: number, total: number) => void;
}

/** How results are kept in the log. */
export interface Kept<V> {
  readonly pack: (value: V) => unknown;
  readonly unpack: (value: unknown) => V;
}

export const TEXT: Kept<string> = { pack: (text) => text, unpack: String };
export const VECTOR: Kept<Float32Array> = { pack: packFloats, unpack: (text) => unpackFloats(String(text)) };

/** A result for each item, in order. `keyOf` hashes all that a result depends on; equal keys are computed once. */
export async function remembered<T, V>(
  label: string,
  items: readonly T[],
  work: Kept<V> & {
    readonly keyOf: (item: T) => string;
    readonly compute: (some: readonly T[]) => Promise<readonly V[]>;
  },
  { log, batch = 16, signal, onProgress }: WorkOptions,
): Promise<V[]> {
  const keys = items.map(work.keyOf);
  const open = new Map(keys.flatMap((key, i) => (log.get(key) === undefined ? [[key, items[i] as T] as const] : [])));
  const todo = [...open];
  let done = new Set(keys).size - todo.length;
  const total = done + todo.length;
  onProgress?.(label, done, total);
  for (let at = 0; at < todo.length; at += batch) {
    signal?.throwIfAborted();
    const some = todo.slice(at, at + batch);
    const values = await work.compute(some.map(([, item]) => item));
    await log.add(some.map(([key], i) => [key, work.pack(values[i] as V)]));
    done += some.length;
    onProgress?.(label, done, total);
  }
  return keys.map((key) => work.unpack(log.get(key)));
}

/** A picture that the model has read, and the hash of its file. */
export interface KnownPicture extends SeenPicture {
  readonly hash: string;
}

interface KeptPicture {
  readonly codes?: Codes;
  readonly embedding?: string;
}

/**
 * Codes and embeddings of picture files, in order; undefined for a picture that is unreadable or broken, which is counted.
 * A picture is known by its bytes, whatever it is called.
 */
export async function seePictures(
  label: string,
  paths: readonly string[],
  model: PaperModel,
  problems: Problems,
  { log, batch = 16, signal, onProgress }: WorkOptions,
): Promise<(KnownPicture | undefined)[]> {
  const found = new Map<string, KnownPicture | undefined>();
  const once = [...new Set(paths)];
  const keyOf = (hash: string): string => hashOf("see", model.see.id, hash);
  let waiting: { readonly path: string; readonly hash: string; readonly bytes: Uint8Array }[] = [];
  const flush = async (): Promise<void> => {
    const results = await seeBatch(waiting, model, problems);
    const good = results.flatMap(({ hash, seen }) => (seen ? [[keyOf(hash), packSeen(seen)] as const] : []));
    if (good.length > 0) await log.add(good);
    for (const { path, hash, seen } of results) found.set(path, seen && { ...seen, hash });
    waiting = [];
  };
  for (const [i, path] of once.entries()) {
    signal?.throwIfAborted();
    const bytes = await readFile(path).catch((error: unknown) => {
      problems.add("unreadable pictures", `${path}: ${reason(error)}`);
      return undefined;
    });
    const hash = bytes && sha256().update(bytes).hex();
    const known = hash === undefined ? undefined : log.get(keyOf(hash));
    if (known !== undefined && hash) found.set(path, { ...unpackSeen(known as KeptPicture), hash });
    else if (bytes && hash) waiting.push({ path, hash, bytes });
    if (waiting.length >= batch) await flush();
    if (waiting.length === 0) onProgress?.(label, i + 1, once.length);
  }
  if (waiting.length > 0) await flush();
  onProgress?.(label, once.length, once.length);
  return paths.map((path) => found.get(path));
}

/** A broken picture fails its batch, whose pictures are then read one by one. */
async function seeBatch<T extends { readonly path: string; readonly bytes: Uint8Array }>(
  some: readonly T[],
  model: PaperModel,
  problems: Problems,
): Promise<(T & { readonly seen: SeenPicture | undefined })[]> {
  try {
    const seen = await model.see.run(some.map(({ bytes }) => bytes));
    return some.map((one, i) => ({ ...one, seen: seen[i] }));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (some.length > 1) {
      const parts = [];
      for (const one of some) parts.push(...(await seeBatch([one], model, problems)));
      return parts;
    }
    problems.add("broken pictures", `${some[0]?.path}: ${reason(error)}`);
    return some.map((one) => ({ ...one, seen: undefined }));
  }
}

function packSeen({ codes, embedding }: SeenPicture): KeptPicture {
  return { codes, embedding: embedding && packFloats(embedding) };
}

function unpackSeen({ codes, embedding }: KeptPicture): SeenPicture {
  return { codes, embedding: embedding === undefined ? undefined : unpackFloats(embedding) };
}
