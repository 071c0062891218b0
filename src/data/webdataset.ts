/**
 * WebDataset shards: plain tars in which files of the same name before the first dot form one sample.
 * https://github.com/webdataset/webdataset
 */

import { join } from "node:path";
import { Readable } from "node:stream";
import { extract, pack } from "tar-stream";
import { InputError } from "../base/errors.ts";
import { quote, reason } from "../base/one-line.ts";
import { encodePng } from "../image/index.ts";
import { makeFolder, writeAtomic } from "../io/files.ts";
import type { Scene } from "./scenes.ts";

export interface ShardSample {
  readonly key: string;
  /** Contents by ending, without the leading dot: { png, txt, json }. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
}

/** "a/b/000001.seg.png" -> key "a/b/000001", ending "seg.png". */
export function splitName(name: string): { key: string; ending: string } {
  const [, key = "", ending = ""] = /^((?:.*\/)?[^/.]*)\.?([^/]*)$/.exec(name) ?? [];
  return { key, ending: ending.toLowerCase() };
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
  /** Told the path of each finished shard. */
  onShard?: (path: string, samples: number) => void;
}

/** Writes `shard-000000.tar` and so on into a folder, which is made; gives their paths. */
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

/** A scene as a sample: picture, caption, and everything that is known about it. */
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

const HEADER = 512; // bytes; tar-stream tells where the header of an entry lies

/** A file in a tar. `read` is for the moment at which it passes; `offset` is where its contents lie in the tar. */
export interface TarEntry {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  read(): Promise<Uint8Array>;
}

/**
 * The files of a tar that arrives as a stream (an open file, a pipe, a download), in its order.
 * @throws InputError if the tar is damaged or ends too early, after the files before that.
 */
export async function* tarEntries(stream: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<TarEntry> {
  const source = Readable.from(stream);
  const tar = extract();
  source.on("error", (error) => tar.destroy(error));
  source.pipe(tar as unknown as NodeJS.WritableStream);
  let last: string | undefined;
  try {
    for await (const entry of tar) {
      const { name, type, size } = entry.header;
      last = name;
      if (type === "file" || type === "contiguous-file")
        yield { name, offset: entry.offset + HEADER, size, read: () => bytesOf(entry) };
      entry.resume();
    }
  } catch (cause) {
    const place = last === undefined ? "at its first file" : `in or after ${quote(last)}`;
    throw new InputError(`${where}: the tar is damaged or cut off ${place} (${reason(cause)}).`, { cause });
  } finally {
    source.destroy();
  }
}

async function bytesOf(entry: AsyncIterable<unknown>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of entry) parts.push(part as Uint8Array);
  return Buffer.concat(parts);
}

/** A file of a sample that is larger than this is left out: nobody's picture, but a stranger's tar may hold one. */
const MAX_FILE_BYTES = 256 * 1024 ** 2;

/**
 * The samples of a tar that arrives as a stream.
 *
 * @param report told in one line when the tar is damaged or ends too early, and of each file that is too large; the
 *   samples before that are still given
 */
export async function* readShard(
  stream: AsyncIterable<Uint8Array>,
  where: string,
  report: (problem: string) => void,
): AsyncGenerator<{ key: string; files: Record<string, Uint8Array> }> {
  let sample: { key: string; files: Record<string, Uint8Array> } | undefined;
  try {
    for await (const entry of tarEntries(stream, where)) {
      const { key, ending } = splitName(entry.name);
      if (sample && sample.key !== key) {
        yield sample;
        sample = undefined;
      }
      sample ??= { key, files: {} };
      if (entry.size <= MAX_FILE_BYTES) sample.files[ending] = await entry.read();
      else report(`${where}: ${quote(entry.name)}: left out, at most ${MAX_FILE_BYTES} bytes are read.`);
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // The last sample may lack a file.
    report(error.message);
    return;
  }
  if (sample) yield sample;
}
