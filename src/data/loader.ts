/**
 * Pictures with captions of the user: folders, WebDataset tars, or both, in a seeded order that starts again anywhere.
 *
 * A broken picture, a missing caption or a cut-off tar is reported by name, skipped and counted; it ends nothing.
 */

import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { InputError, SeedlingError, UsageError } from "../base/errors.ts";
import { quote, reason } from "../base/one-line.ts";
import { hashText, Rng } from "../base/rng.ts";
import { decodeImage, type RgbImage, resizeAndCrop } from "../image/index.ts";
import { fileError, readFileBounded } from "../io/files.ts";
import { captionList, captionsBeside } from "./caption-files.ts";
import { splitName, tarEntries } from "./webdataset.ts";

export interface Sample {
  /** Path of the picture, or tar and key. */
  readonly key: string;
  readonly image: RgbImage;
  readonly caption: string;
}

export type ProblemKind = "broken image" | "missing caption" | "broken caption file" | "broken tar" | "unused file";

export interface DatasetOptions {
  /** Side of the square pictures in pixels: the shorter side is resized to it, the middle is cut out. */
  size: number;
  /** Decides the order and, of several captions, which one. Default 0. */
  seed?: number;
  /** Told once about each problem, in one line. */
  onProblem?: (message: string, kind: ProblemKind) => void;
  /** Turns a file's bytes into pixels. Default: any picture file that Seedling reads. */
  decode?: (bytes: Uint8Array, where: string) => Promise<RgbImage>;
}

export interface Dataset {
  /** Changes with the files (name, length, time of the last change), their captions, the size and the seed. */
  readonly identity: string;
  /** Samples with a caption; some of their pictures may turn out broken. */
  readonly length: number;
  /** How often each problem was met so far; parts count together. */
  readonly problems: ReadonlyMap<ProblemKind, number>;
  /** Every caption. */
  captions(): Iterable<string>;
  /**
   * Sample number `index` of an endless sequence: every sample once, then all again in another order. It depends on
   * the seed and the index alone, so a run resumes by its index. In the place of a broken picture stands the next one.
   * @throws InputError if every picture is broken.
   */
  get(index: number): Promise<Sample>;
  /** The samples whose key belongs, such as one in twenty for validation, in an order of their own; undefined if none. */
  part(belongs: (key: string) => boolean): Dataset | undefined;
}

/** A picture that is not read yet. */
interface Source {
  readonly key: string;
  readonly captions: readonly string[];
  /** Length and time of the last change of its file: another picture under the same name is another sample. */
  readonly stamp: string;
  readonly read: () => Promise<Uint8Array>;
}

type Report = (message: string, kind: ProblemKind) => void;

const PICTURE = /\.(png|jpe?g|webp|gif|avif)$/i;
const MAX_PICTURE_BYTES = 256 * 1024 ** 2;
const MAX_TEXT_BYTES = 1024 ** 2;
const MAX_LIST_BYTES = 512 * 1024 ** 2;
/** Endings of files beside a picture that hold its caption, best first. */
const TEXTS = ["txt", "caption", "json"];
/** Files at the top of a folder that list captions; `metadata.jsonl` is the form of Hugging Face's image folders. */
const LISTS = ["captions.json", "captions.jsonl", "metadata.jsonl"];

/**
 * @param sources folders, tars, or patterns such as `shards/*.tar`
 * @throws UsageError if a pattern matches nothing, SetupError if a path is missing, InputError if no sample is usable.
 */
export async function openDataset(sources: string | readonly string[], options: DatasetOptions): Promise<Dataset> {
  const { onProblem, ...rest } = options;
  const problems = new Map<ProblemKind, number>();
  const told = new Set<string>();
  const report: Report = (message, kind) => {
    if (told.has(message)) return;
    told.add(message);
    problems.set(kind, (problems.get(kind) ?? 0) + 1);
    onProblem?.(message, kind);
  };
  const found: Source[] = [];
  for (const path of await expand(typeof sources === "string" ? [sources] : sources)) {
    const status = await stat(path).catch((error) => {
      throw fileError(error, path);
    });
    found.push(
      ...(status.isDirectory() ? await readFolder(path, report) : await readTar(path, stampOf(status), report)),
    );
  }
  if (found.length === 0) {
    throw new InputError(
      `${[sources]
        .flat()
        .map((source) => quote(source))
        .join(", ")}: no picture with a caption. Put a .txt beside each picture, or a captions.json.`,
    );
  }
  return datasetOf(found, rest, problems, report);
}

function datasetOf(
  kept: readonly Source[],
  options: Omit<DatasetOptions, "onProblem">,
  problems: ReadonlyMap<ProblemKind, number>,
  report: Report,
): Dataset {
  const { size, seed = 0, decode = decodeImage } = options;
  const order = shuffler(kept.length, seed);
  const broken = new Set<number>();

  async function read(number: number): Promise<RgbImage | undefined> {
    const { key, read } = kept[number]!;
    try {
      return resizeAndCrop(await decode(await read(), key), size);
    } catch (error) {
      broken.add(number);
      report(error instanceof SeedlingError ? error.message : `${key}: ${reason(error)}`, "broken image");
      return undefined;
    }
  }

  async function get(index: number): Promise<Sample> {
    for (let step = 0; step < kept.length * 2 && broken.size < kept.length; step++) {
      const number = order(index + step);
      const image = broken.has(number) ? undefined : await read(number);
      const { key, captions } = kept[number]!;
      if (image) return { key, image, caption: captions[new Rng(seed ^ hashText(`${index}`)).int(captions.length)]! };
    }
    throw new InputError(`${kept[0]!.key} and ${kept.length - 1} more: every picture is broken. Check the files.`);
  }

  const identity = createHash("sha256").update(JSON.stringify([size, seed]));
  for (const { key, captions, stamp } of kept) identity.update(JSON.stringify([key, captions, stamp]));
  return {
    identity: identity.digest("hex").slice(0, 16),
    length: kept.length,
    problems,
    get,
    part(belongs) {
      const some = kept.filter(({ key }) => belongs(key));
      return some.length > 0 ? datasetOf(some, options, problems, report) : undefined;
    },
    *captions() {
      for (const { captions } of kept) yield* captions;
    },
  };
}

async function expand(sources: readonly string[]): Promise<string[]> {
  const paths: string[] = [];
  for (const source of sources) {
    if (!isDynamicPattern(source) || (await stat(source).catch(() => undefined))) {
      paths.push(source);
      continue;
    }
    const matches = await glob(source, { onlyFiles: false, absolute: false, expandDirectories: false });
    if (matches.length === 0)
      throw new UsageError(`${source}: expected at least one match, got none. Check the pattern.`);
    paths.push(...matches.sort(byCode));
  }
  return paths;
}

/** Independent of the machine's language, unlike localeCompare. */
const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const stampOf = ({ size, mtimeMs }: Stats): string => `${size} ${mtimeMs}`;

async function readFolder(folder: string, report: Report): Promise<Source[]> {
  const names = (await glob("**/*", { cwd: folder, dot: false })).sort(byCode);
  const present = new Set(names);
  /** Undefined if it is too large or the system refuses it, which is reported. */
  const text = async (name: string, max: number): Promise<string | undefined> => {
    try {
      return new TextDecoder().decode(await readFileBounded(join(folder, name), max));
    } catch (error) {
      report(fileError(error, join(folder, name)).message, "broken caption file");
      return undefined;
    }
  };
  const listed = new Map<string, string[]>();
  for (const name of LISTS.filter((name) => present.has(name))) {
    const where = join(folder, name);
    const contents = await text(name, MAX_LIST_BYTES);
    if (contents === undefined) continue;
    const list = captionList(contents, where, (m) => report(m, "broken caption file"));
    for (const [file, captions] of list) {
      listed.set(file, captions);
      if (!present.has(file))
        report(`${where}: lists ${quote(file)}, which is not in the folder.`, "broken caption file");
    }
  }
  const sources: Source[] = [];
  for (const name of names.filter((name) => PICTURE.test(name))) {
    const path = join(folder, name);
    const stem = name.replace(PICTURE, "");
    let captions = listed.get(name) ?? [];
    for (const ending of TEXTS) {
      if (captions.length > 0 || !present.has(`${stem}.${ending}`)) continue;
      captions = captionsBeside((await text(`${stem}.${ending}`, MAX_TEXT_BYTES)) ?? "", ending);
    }
    // One that is gone by now is told of when it is read.
    const stamp = captions.length > 0 ? await stat(path).then(stampOf, () => "") : "";
    if (captions.length > 0)
      sources.push({ key: path, captions, stamp, read: () => readFileBounded(path, MAX_PICTURE_BYTES) });
    else report(`${path}: no caption. Put it into ${stem}.txt beside the picture.`, "missing caption");
  }
  return sources;
}

/** What is known of a sample after one pass over its tar. */
interface TarSample {
  endings: string[];
  captions: string[];
  picture?: { offset: number; size: number };
}

/** One pass over the tar finds the captions, and where the pictures lie; those are then read in any order. */
async function readTar(path: string, stamp: string, report: Report): Promise<Source[]> {
  const samples = new Map<string, TarSample>();
  let last = "";
  try {
    for await (const { name, offset, size, read } of tarEntries(createReadStream(path), path)) {
      const { key, ending } = splitName(name);
      last = key;
      const sample: TarSample = samples.get(key) ?? { endings: [], captions: [] };
      samples.set(key, sample);
      sample.endings.push(ending);
      if (PICTURE.test(`.${ending}`)) sample.picture ??= { offset, size };
      else if (TEXTS.includes(ending) && sample.captions.length === 0 && size <= MAX_TEXT_BYTES) {
        sample.captions = captionsBeside(new TextDecoder().decode(await read()), ending);
      }
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw fileError(error, path);
    report(`${error.message} The samples before that are used.`, "broken tar");
    samples.delete(last);
  }
  const sources: Source[] = [];
  for (const [key, { endings, captions, picture }] of samples) {
    const where = `${path}: ${key}`;
    if (!picture) report(`${where}: no picture among its files (${endings.join(", ")}).`, "unused file");
    else if (captions.length === 0) report(`${where}: no caption. Add ${key}.txt.`, "missing caption");
    else sources.push({ key: where, captions, stamp, read: () => readRange(path, picture.offset, picture.size) });
  }
  return sources;
}

async function readRange(path: string, offset: number, size: number): Promise<Uint8Array> {
  if (size > MAX_PICTURE_BYTES) {
    throw new InputError(`${path}: expected a picture of at most ${MAX_PICTURE_BYTES} bytes, got ${size}.`);
  }
  try {
    const file = await open(path, "r");
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(size), 0, size, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

/** index -> sample number: a new permutation in every epoch, of which the last one asked for is kept. */
function shuffler(length: number, seed: number): (index: number) => number {
  const epochs = new Map<number, Uint32Array>();
  return (index) => {
    const epoch = Math.floor(index / length);
    let order = epochs.get(epoch);
    if (!order) {
      order = Uint32Array.from({ length }, (_, i) => i);
      const rng = new Rng(hashText(`${seed} ${epoch}`));
      for (let i = length - 1; i > 0; i--) {
        const j = rng.int(i + 1);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      // Two epochs meet in one batch; older ones are not asked for again.
      if (epochs.size > 1) epochs.delete(epochs.keys().next().value!);
      epochs.set(epoch, order);
    }
    return order[index % length]!;
  };
}
