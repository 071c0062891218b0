/** What a person names as pictures: files, folders, globs, tar shards and standard input. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { addAbortSignal, pipeline, Readable } from "node:stream";
import { extract } from "tar-stream";
import { glob, isDynamicPattern } from "tinyglobby";
import { InputError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import type { ResizeFilter, RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { fileError, readFileBounded } from "../io/files.ts";
import type { Report } from "./report.ts";

export interface PictureFile {
  /** For people and for the output: the path, or `shard.tar/name`. */
  readonly name: string;
  readonly read: () => Promise<Uint8Array>;
}

export interface PictureList {
  /** How many, or undefined if a tar or standard input is among them. */
  readonly total: number | undefined;
  readonly files: AsyncIterable<PictureFile>;
}

/** Largest picture file, bytes. */
export const MAX_PICTURE = 256 * 1024 ** 2;
const PICTURE = /\.(png|jpe?g|webp|gif|avif)$/i;
const TAR = /\.tar$/i;
/** Where the word "ustar" ends in the first header of a tar file. */
const TAR_MAGIC_END = 262;

/** Lists what can be listed now; what is missing or empty is reported and passed over. */
export async function findPictures(
  inputs: readonly string[],
  report: Report,
  signal: AbortSignal,
): Promise<PictureList> {
  const paths: string[] = [];
  for (const input of inputs)
    try {
      paths.push(...(await expand(input)));
    } catch (error) {
      report.problem(error);
    }
  const total = paths.some((path) => path === "-" || TAR.test(path)) ? undefined : paths.length;
  return { total, files: openAll(paths, report, signal) };
}

async function expand(input: string): Promise<string[]> {
  if (input === "-") return [input];
  const status = await stat(input).catch((error: unknown) => {
    if (isDynamicPattern(input)) return undefined;
    throw fileError(error, input);
  });
  if (status && !status.isDirectory()) return [input];
  const found = status
    ? (await glob("**/*.{png,jpg,jpeg,webp,gif,avif,tar}", { cwd: input, caseSensitiveMatch: false })).map((name) =>
        join(input, name),
      )
    : await glob(input);
  if (found.length > 0) return found.sort();
  throw new InputError(`${input}: expected ${status ? "pictures in this folder" : "files that match"}, found none.`);
}

async function* openAll(paths: readonly string[], report: Report, signal: AbortSignal): AsyncGenerator<PictureFile> {
  for (const path of paths)
    try {
      if (path === "-") yield* standardInput(signal);
      else if (TAR.test(path)) yield* tarEntries(createReadStream(path), path);
      else yield { name: path, read: () => readFileBounded(path, MAX_PICTURE) };
    } catch (error) {
      report.problem(error);
    }
}

/** One picture, or a tar of them, told apart by the first bytes. */
async function* standardInput(signal: AbortSignal): AsyncGenerator<PictureFile> {
  addAbortSignal(signal, process.stdin);
  const chunks = process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  while (head.length < TAR_MAGIC_END) {
    const { value, done } = await chunks.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  async function* all(): AsyncGenerator<Buffer> {
    yield head;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  try {
    if (head.toString("latin1", TAR_MAGIC_END - 5, TAR_MAGIC_END) === "ustar")
      yield* tarEntries(Readable.from(all(), { objectMode: false }), "standard input");
    else yield { name: "standard input", read: () => collect(all(), "standard input") };
  } finally {
    process.stdin.destroy();
  }
}

/** The pictures of a tar, in order; other entries (captions, JSON) are passed over. */
async function* tarEntries(stream: Readable, name: string): AsyncGenerator<PictureFile> {
  const entries = extract();
  pipeline(stream, entries, () => {}); // errors arrive through the loop
  try {
    for await (const entry of entries) {
      if (entry.header.type === "file" && PICTURE.test(entry.header.name)) {
        const where = `${name}/${entry.header.name}`;
        const bytes = await collect(entry as AsyncIterable<Uint8Array>, where).catch((error: unknown) => error);
        if (bytes instanceof Error && !(bytes instanceof InputError)) throw bytes;
        yield {
          name: where,
          read: async () => {
            if (bytes instanceof Uint8Array) return bytes;
            throw bytes;
          },
        };
      }
      entry.resume();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith("E")) throw fileError(error, name);
    throw new InputError(`${name}: damaged tar file (${reason(error)}); the rest of it is lost. Copy it again.`, {
      cause: error,
    });
  }
}

async function collect(stream: AsyncIterable<Uint8Array>, where: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_PICTURE) throw new InputError(`${where}: expected at most ${MAX_PICTURE} bytes, got more.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export interface PreparedPicture {
  readonly name: string;
  readonly image: RgbImage;
}

export interface PreparedOptions {
  readonly tokenizer: Pick<SeedTokenizer, "prepare">;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Default: bicubic. */
  readonly filter?: ResizeFilter;
}

/**
 * Pictures as the model sees them, `size` at a time; the next batch is decoded while the caller works on this one.
 * A bad picture is reported and left out.
 */
export async function* preparedBatches(
  files: AsyncIterable<PictureFile>,
  size: number,
  { tokenizer, report, signal, filter }: PreparedOptions,
): AsyncGenerator<PreparedPicture[]> {
  const warn = (message: string): void => report.note(`seedling: ${message}`);
  const options = { warn, ...(filter ? { filter } : {}) };
  const batches = (async function* () {
    let batch: PreparedPicture[] = [];
    for await (const { name, read } of files) {
      signal.throwIfAborted();
      try {
        batch.push({ name, image: await tokenizer.prepare(await read(), { where: name, ...options }) });
      } catch (error) {
        report.problem(error);
      }
      if (batch.length === size) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  })();
  let next = batches.next();
  for (;;) {
    const { value, done } = await next;
    if (done) return;
    next = batches.next();
    next.catch(() => {}); // seen when it is awaited
    yield value;
  }
}
