/** The files of a tar, in its order, and the links among them. */

import { type Extract, extract } from "tar-stream";
import { concatBytes } from "../base/bytes.ts";
import { InputError, SeedlingError } from "../base/errors.ts";
import { quote, reason } from "../base/one-line.ts";
import { openByteSource } from "../io/files.ts";
import { fileChunks } from "../io/lines.ts";
import { dirname, join } from "../io/url-paths.ts";

/** tar-stream reports where the header of an entry is; its contents follow. */
const HEADER_BYTES = 512;

/** A file in a tar, or a link to one. */
export interface TarEntry {
  /** Without "./" in front. */
  readonly name: string;
  /** Where its contents are in the tar. */
  readonly offset: number;
  readonly size: number;
  /** Of a link: the name of the entry whose contents it has. */
  readonly target?: string;
  /** The contents, as long as the next entry has not been asked for. Empty for a link. */
  read(): Promise<Uint8Array>;
}

type Report = (problem: string) => void;

/**
 * The files and links of a tar that arrives as a stream (an open file, a pipe, a download), in its order.
 *
 * @param report receives one line about each entry that is neither, such as a device; folders are passed over
 * @throws InputError if the tar is damaged or ends too early, after the entries before that.
 */
export async function* tarEntries(
  stream: AsyncIterable<Uint8Array>,
  where: string,
  report: Report = () => {},
): AsyncGenerator<TarEntry> {
  const tar = extract();
  feed(tar, expectTar(stream, where)).catch((error: Error) => tar.destroy(error));
  let last: string | undefined;
  const damaged = (cause: unknown): unknown => {
    if (cause instanceof SeedlingError) return cause;
    const place = last === undefined ? "at its first file" : `in or after ${quote(last)}`;
    return new InputError(`${where}: the tar is damaged or cut off ${place} (${reason(cause)}). Copy it again.`, {
      cause,
    });
  };
  try {
    for await (const entry of tar) {
      const { type, size, linkname, pax } = entry.header;
      const name = tidy(entry.header.name);
      last = name;
      // Without this, a size that is not a number keeps tar-stream waiting forever.
      if (!Number.isSafeInteger(size)) throw new Error("a size that is not a number");
      const offset = entry.offset + HEADER_BYTES;
      const read = () =>
        bytesOf(entry).catch((error: unknown) => {
          throw damaged(error);
        });
      const sparse = Object.keys(pax ?? {}).some((key) => key.startsWith("GNU.sparse"));
      if ((type === "file" || type === "contiguous-file") && !sparse) yield { name, offset, size, read };
      else if (type === "link") yield { name, offset, size: 0, target: tidy(linkname ?? ""), read };
      else if (type === "symlink") yield { name, offset, size: 0, target: symlinkTarget(name, linkname ?? ""), read };
      else if (type !== "directory")
        report(
          `${where}: ${quote(name)} is left out: expected a file, got ${sparse ? "a sparse one" : `a ${type ?? "special entry"}`}.`,
        );
      entry.resume();
    }
  } catch (cause) {
    throw damaged(cause);
  }
}

/** Writes all chunks, no faster than they are read; ends early when the reader has gone. */
async function feed(tar: Extract, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let gone = false;
  tar.once("close", () => {
    gone = true;
  });
  for await (const chunk of chunks) {
    if (gone) return;
    if (!tar.write(chunk)) {
      await new Promise<void>((resolve) => {
        tar.once("drain", () => resolve());
        tar.once("close", () => resolve());
      });
    }
  }
  tar.end(undefined);
}

const PACKED: readonly (readonly [kind: string, start: readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58]],
  ["zip", [0x50, 0x4b, 0x03, 0x04]],
];

/** A compressed tar is named as such rather than called damaged. */
async function* expectTar(stream: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  let first = true;
  for await (const chunk of stream) {
    const packed = first && PACKED.find(([, start]) => start.every((byte, i) => chunk[i] === byte));
    if (packed) throw new InputError(`${where}: expected a plain tar, got a ${packed[0]} file. Unpack it first.`);
    first = false;
    yield chunk;
  }
}

const tidy = (name: string): string => name.replace(/^(\.\/+)+/, "");

/** Relative to the folder of the link. */
const symlinkTarget = (name: string, target: string): string =>
  target.startsWith("/") ? target : join(dirname(name), target);

/** The file behind a link, through further links; undefined if there is none in the tar. */
export function followLinks<T extends { readonly target?: string }>(
  entries: ReadonlyMap<string, T>,
  entry: T,
): T | undefined {
  let [at, steps]: [T | undefined, number] = [entry, 0];
  while (at?.target !== undefined) at = steps++ < entries.size ? entries.get(at.target) : undefined;
  return at;
}

async function bytesOf(entry: AsyncIterable<unknown>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of entry) parts.push(part as Uint8Array);
  return concatBytes(parts);
}

/** The entries of a tar on disk. @throws as `fileChunks` and `tarEntries` do. */
export function tarFileEntries(path: string, report?: Report): AsyncGenerator<TarEntry> {
  return tarEntries(fileChunks(path), path, report);
}

/** The contents of an entry of a tar on disk. @throws InputError if it has more than `maxBytes`, and as `openByteSource`. */
export async function readTarEntry(
  path: string,
  { name, offset, size }: Pick<TarEntry, "name" | "offset" | "size">,
  maxBytes: number,
): Promise<Uint8Array> {
  if (size > maxBytes)
    throw new InputError(`${path}: ${quote(name)}: expected at most ${maxBytes} bytes, got ${size}.`);
  const source = await openByteSource(path);
  try {
    return await source.read(offset, size);
  } finally {
    await source.close();
  }
}
