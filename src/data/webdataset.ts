/**
 * WebDataset shards: plain tars in which files whose base names agree up to the first dot form one sample.
 * https://github.com/webdataset/webdataset
 */

import { join } from "node:path";
import { pack } from "tar-stream";
import { InputError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { encodePng } from "../image/index.ts";
import { makeFolder, writeAtomic } from "../io/files.ts";
import type { Scene } from "./scenes.ts";
import { tarEntries } from "./tar.ts";

export interface ShardSample {
  readonly key: string;
  /** Contents by ending, without the leading dot: { png, txt, json }. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
}

/**
 * "a/b/000001.seg.png" -> key "a/b/000001", ending "seg.png": the base name splits at its first dot. Hidden files, which
 * have nothing before that dot (".DS_Store", "._000001.png"), and names without a dot belong to no sample.
 */
export function splitName(name: string): { key: string; ending: string } | { key: undefined; ending: "" } {
  const [, key, ending = ""] = /^((?:.*\/)?[^/.]+)\.([^/]+)$/.exec(name) ?? [];
  return key === undefined ? { key, ending: "" } : { key, ending: ending.toLowerCase() };
}

/**
 * Writes one tar, whole or not at all. The same samples give the same bytes: no times, no owners.
 * @throws SetupError if it cannot be written.
 */
export async function writeShard(
  path: string,
  samples: Iterable<ShardSample> | AsyncIterable<ShardSample>,
): Promise<number> {
  let written = 0;
  await writeAtomic(path, async (file) => {
    const tar = pack();
    const filling = (async () => {
      for await (const { key, files } of samples) {
        for (const [ending, contents] of Object.entries(files)) {
          const bytes = typeof contents === "string" ? Buffer.from(contents) : Buffer.from(contents);
          await new Promise<void>((resolve, reject) => {
            const header = { name: `${key}.${ending}`, mode: 0o644, mtime: new Date(0) };
            tar.entry(header, bytes, (error) => (error ? reject(error) : resolve()));
          });
        }
        written++;
      }
      tar.finalize();
    })();
    filling.catch((error) => tar.destroy(error));
    for await (const chunk of tar) await file.writeFile(chunk as Uint8Array);
    await filling;
  });
  return written;
}

export interface ShardsOptions {
  /** Samples in one shard. Default 1,000. */
  perShard?: number;
  /** Called with the path of each finished shard. */
  onShard?: (path: string, samples: number) => void;
}

/** Writes `shard-000000.tar` and so on into a folder, which is created if needed; returns their paths. */
export async function writeShards(
  folder: string,
  samples: AsyncIterable<ShardSample> | Iterable<ShardSample>,
  { perShard = 1000, onShard }: ShardsOptions = {},
): Promise<string[]> {
  await makeFolder(folder);
  const rest = Symbol.asyncIterator in samples ? samples[Symbol.asyncIterator]() : samples[Symbol.iterator]();
  const paths: string[] = [];
  for (let next = await rest.next(); !next.done; ) {
    async function* portion() {
      for (let n = 0; n < perShard && !next.done; n++) {
        yield next.value as ShardSample;
        next = await rest.next();
      }
    }
    const path = join(folder, `shard-${String(paths.length).padStart(6, "0")}.tar`);
    const written = await writeShard(path, portion());
    paths.push(path);
    onShard?.(path, written);
  }
  return paths;
}

/** A scene as a sample: picture, caption, objects and questions. */
export async function sceneSample(scene: Scene, key = String(scene.seed).padStart(6, "0")): Promise<ShardSample> {
  const { pixels, size, caption, seed, kind, background, objects, questions } = scene;
  return {
    key,
    files: {
      png: await encodePng({ width: size, height: size, data: pixels }),
      txt: caption,
      json: JSON.stringify({ seed, size, kind, caption, background, objects, questions }),
    },
  };
}

/** Larger files of a sample are left out: no picture is that large, but an untrusted tar may hold such a file. */
const MAX_FILE_BYTES = 256 * 1024 ** 2;

export interface TarSampleFiles {
  readonly key: string;
  /** Contents by ending, without the leading dot. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/**
 * The samples of a tar that arrives as a stream.
 *
 * @param report receives one line when the tar is damaged or ends too early (the samples before that are still given),
 *   and about each entry that is left out: a file that is too large, a link (its target has passed by), a device, a
 *   second file under the same name
 */
export async function* readShard(
  stream: AsyncIterable<Uint8Array>,
  where: string,
  report: (problem: string) => void,
): AsyncGenerator<TarSampleFiles> {
  try {
    yield* tarSampleFiles(stream, where, report);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    report(error.message);
  }
}

/**
 * The same for a caller who must know of damage.
 * @throws InputError if the tar is damaged or ends too early, after the samples before that. The last one, which may lack
 *   a file, is not among them.
 */
export async function* tarSampleFiles(
  stream: AsyncIterable<Uint8Array>,
  where: string,
  report: (problem: string) => void,
): AsyncGenerator<TarSampleFiles> {
  let sample: { key: string; files: Record<string, Uint8Array> } | undefined;
  for await (const entry of tarEntries(stream, where, report)) {
    const leftOut = (why: string): void => report(`${where}: ${quote(entry.name)} is left out: ${why}.`);
    const { key, ending } = splitName(entry.name);
    if (key === undefined) continue;
    if (sample && sample.key !== key) {
      yield sample;
      sample = undefined;
    }
    sample ??= { key, files: {} };
    if (entry.target !== undefined) leftOut(`a link to ${quote(entry.target)}`);
    else if (entry.size > MAX_FILE_BYTES) leftOut(`at most ${MAX_FILE_BYTES} bytes are read`);
    else if (Object.hasOwn(sample.files, ending)) leftOut("a second file of this name");
    else Object.defineProperty(sample.files, ending, { value: await entry.read(), enumerable: true });
  }
  if (sample) yield sample;
}
