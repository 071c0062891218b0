/** The pictures that a command is given: files, folders, globs, tar shards and standard input. */
import { stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { addAbortSignal } from "node:stream";
import { glob, isDynamicPattern } from "tinyglobby";
import { InputError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { leftOutLine } from "../data/sources.ts";
import { followLinks, readTarEntry, type TarEntry, tarEntries, tarFileEntries } from "../data/tar.ts";
import { MAX_PICTURE_BYTES, PICTURE_NAME, type ResizeFilter, type RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { fileError, readFileBounded } from "../io/files.ts";
import { onceEach, walkFolder } from "../io/walk.ts";
import type { Report } from "./report.ts";

export { MAX_PICTURE_BYTES as MAX_PICTURE } from "../image/index.ts";

export interface PictureFile {
  /** In messages and in the output: the path, or `shard.tar/name`. */
  readonly name: string;
  readonly read: () => Promise<Uint8Array>;
}

export interface PictureList {
  /** How many, or undefined if a tar or standard input is among them. */
  readonly total: number | undefined;
  readonly files: AsyncIterable<PictureFile>;
}

const TAR = /\.tar$/i;
const STDIN = "standard input";
/** Where the word "ustar" ends in the first header of a tar file. */
const TAR_MAGIC_END = 262;

/**
 * Lists what can be listed now; what is missing or empty is reported and skipped. Call it before a model is opened.
 * @throws Reported if nothing is left
 */
export async function findPictures(
  inputs: readonly string[],
  report: Report,
  signal: AbortSignal,
): Promise<PictureList> {
  const paths: string[] = [];
  for (const input of inputs)
    try {
      for (const path of await expand(input, report)) paths.push(path);
    } catch (error) {
      report.problem(error);
    }
  if (paths.length === 0) report.finish(0);
  const total = paths.some((path) => path === "-" || TAR.test(path)) ? undefined : paths.length;
  return { total, files: openAll(paths, report, signal) };
}

async function expand(input: string, report: Report): Promise<string[]> {
  if (input === "-") return [input];
  const status = await stat(input).catch((error: unknown) => {
    if (isDynamicPattern(input)) return undefined;
    throw fileError(error, input);
  });
  if (status && !status.isDirectory()) return [input];
  const found = status
    ? await picturesIn(input, report)
    : await onceEach(await glob(input, { absolute: isAbsolute(input) }));
  if (found.length > 0) return found;
  throw new InputError(`${input}: expected ${status ? "pictures in this folder" : "files that match"}, found none.`);
}

async function picturesIn(folder: string, report: Report): Promise<string[]> {
  const files = await walkFolder(folder);
  const isPicture = ({ name, regular }: (typeof files)[number]): boolean =>
    regular && (PICTURE_NAME.test(name) || TAR.test(name));
  leftOut(
    files.filter((file) => !isPicture(file)).map(({ name }) => name),
    folder,
    report,
  );
  return files.filter(isPicture).map(({ name }) => join(folder, name));
}

function leftOut(names: readonly string[], where: string, report: Report): void {
  if (names.length > 0) report.warn(leftOutLine(where, names));
}

async function* openAll(paths: readonly string[], report: Report, signal: AbortSignal): AsyncGenerator<PictureFile> {
  for (const path of paths)
    try {
      if (path === "-") yield* standardInput(report, signal);
      else if (TAR.test(path)) yield* tarPictures(tarFileEntries(path, problemOf(report)), path, report, path);
      else yield { name: path, read: () => readFileBounded(path, MAX_PICTURE_BYTES) };
    } catch (error) {
      report.problem(error);
    }
}

const problemOf =
  (report: Report) =>
  (line: string): void =>
    report.problem(new InputError(line));

/** One picture or a tar of them, distinguished by the first bytes. */
async function* standardInput(report: Report, signal: AbortSignal): AsyncGenerator<PictureFile> {
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
      yield* tarPictures(tarEntries(all(), STDIN, problemOf(report)), STDIN, report);
    else yield { name: STDIN, read: () => collect(all(), STDIN) };
  } finally {
    process.stdin.destroy();
  }
}

/**
 * The pictures of a tar, in order, then those that are links; captions, JSON and other entries are counted.
 * @param path of the tar, if it can be read again: links are followed only then
 */
async function* tarPictures(
  entries: AsyncIterable<TarEntry>,
  where: string,
  report: Report,
  path?: string,
): AsyncGenerator<PictureFile> {
  const seen = new Map<string, Omit<TarEntry, "read">>();
  const others: string[] = [];
  for await (const { read, ...entry } of entries) {
    const { name, size, target } = entry;
    if (path !== undefined) seen.set(name, entry);
    const isPicture = PICTURE_NAME.test(name) && !/(^|\/)\.[^/]*$/.test(name);
    if (!isPicture) others.push(name);
    if (!isPicture || (target !== undefined && path !== undefined)) continue;
    if (target !== undefined) {
      report.problem(new InputError(`${where}/${name}: a link to ${quote(target)}, which a stream cannot follow.`));
      continue;
    }
    const bytes = size > MAX_PICTURE_BYTES ? undefined : await read();
    yield {
      name: `${where}/${name}`,
      read: async () => {
        if (bytes) return bytes;
        throw new InputError(`${where}/${name}: expected at most ${MAX_PICTURE_BYTES} bytes, got ${size}.`);
      },
    };
  }
  for (const entry of seen.values()) {
    if (entry.target === undefined || !PICTURE_NAME.test(entry.name)) continue;
    const name = `${where}/${entry.name}`;
    const file = followLinks(seen, entry);
    if (file) yield { name, read: () => readTarEntry(where, file, MAX_PICTURE_BYTES) };
    else report.problem(new InputError(`${name}: a link to ${quote(entry.target)}, which is not in the tar.`));
  }
  leftOut(others, where, report);
}

async function collect(stream: AsyncIterable<Uint8Array>, where: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_PICTURE_BYTES)
      throw new InputError(`${where}: expected at most ${MAX_PICTURE_BYTES} bytes, got more.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export interface PreparedPicture<F extends PictureFile = PictureFile> {
  readonly name: string;
  readonly image: RgbImage;
  readonly file: F;
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
export async function* preparedBatches<F extends PictureFile>(
  files: AsyncIterable<F>,
  size: number,
  { tokenizer, report, signal, filter }: PreparedOptions,
): AsyncGenerator<PreparedPicture<F>[]> {
  const warn = (message: string): void => report.warn(message);
  const batches = (async function* () {
    let batch: PreparedPicture<F>[] = [];
    for await (const file of files) {
      signal.throwIfAborted();
      const { name, read } = file;
      try {
        batch.push({ name, image: await tokenizer.prepare(await read(), { where: name, warn, filter }), file });
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
