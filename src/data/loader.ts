/**
 * A user's own captioned pictures: folders, WebDataset tars, or both, in a seeded order that resumes at any index.
 *
 * Broken pictures, missing captions and truncated tars are reported by name, counted and skipped.
 */

import { createHash } from "node:crypto";
import { realpath, stat } from "node:fs/promises";
import { glob, isDynamicPattern } from "tinyglobby";
import { InputError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { quote } from "../base/one-line.ts";
import { hashText, permutation, Rng } from "../base/rng.ts";
import { decodeImage, PICTURE_NAME, type RgbImage, resizeAndCrop } from "../image/index.ts";
import { fileError } from "../io/files.ts";
import { byCode } from "../io/walk.ts";
import { readFolder } from "./folder-samples.ts";
import { sameBytes } from "./same-bytes.ts";
import { type ProblemKind, problemLine, type ReportProblem, type Source, stampOf } from "./sources.ts";
import { readTar } from "./tar-samples.ts";

export interface Sample {
  /** Path of the picture, or tar and key. */
  readonly key: string;
  readonly image: RgbImage;
  readonly caption: string;
}

export interface DatasetOptions {
  /** Side of the square pictures in pixels: the shorter side is resized to it, the middle is cut out. */
  size: number;
  /** Decides the order and, of several captions, which one. Default 0. */
  seed?: number;
  /** Called once for each problem, with one line. */
  onProblem?: (message: string, kind: ProblemKind) => void;
  /** Turns a file's bytes into pixels. Default: any picture file that Seedling reads. */
  decode?: (bytes: Uint8Array, where: string) => Promise<RgbImage>;
}

export interface Dataset {
  /** Changes with the files (name, length, time of the last change), their captions, the size and the seed. */
  readonly identity: string;
  /** Samples with a caption, including those whose picture turns out to be broken. */
  readonly length: number;
  /** How many problems of each kind there were so far, in all parts together. */
  readonly problems: ReadonlyMap<ProblemKind, number>;
  /** Every caption. */
  captions(): Iterable<string>;
  /**
   * Sample number `index` of an endless sequence: every sample once, then all again in another order. It depends on
   * the seed and the index alone, so a run resumes by its index. A broken picture is replaced by the next one.
   * @throws InputError if every picture is broken.
   */
  get(index: number): Promise<Sample>;
  /** The caption of that sample; every picture is decoded once at most, to know whether it is broken. */
  caption(index: number): Promise<string>;
  /**
   * Two data sets, each in an order of its own: at least `count` samples to validate on, chosen by the hashes of their
   * keys among pictures that are not broken, and the others. Pictures with the same bytes stay together, and so all
   * captions of a picture are on one side. Undefined if nothing is to be held out, or nothing would be left.
   */
  split(count: number): Promise<{ readonly train: Dataset; readonly validation: Dataset } | undefined>;
}

/**
 * @param sources folders, tars, or patterns such as `shards/*.tar`
 * @throws InputError if a path is missing, a pattern matches nothing or no sample is usable; SetupError if the system
 * refuses to read one
 */
export async function openDataset(sources: string | readonly string[], options: DatasetOptions): Promise<Dataset> {
  const { onProblem, ...rest } = options;
  const problems = new Map<ProblemKind, number>();
  const told = new Set<string>();
  const report: ReportProblem = (problem, kind, count = 1) => {
    const message = problem.replace(/[\p{Cc}\u2028\u2029]/gu, " "); // names in tars can hold anything
    if (told.has(message)) return;
    told.add(message);
    problems.set(kind, (problems.get(kind) ?? 0) + count);
    onProblem?.(message, kind);
  };
  const found: Source[] = [];
  const opened = new Set<string>();
  for (const path of await expand(typeof sources === "string" ? [sources] : sources)) {
    const [real, status] = await Promise.all([realpath(path), stat(path)]).catch((error) => {
      throw fileError(error, path);
    });
    if (opened.has(real)) {
      report(`${path}: named more than once; it counts once.`, "unused file");
      continue;
    }
    opened.add(real);
    if (status.isDirectory()) for (const source of await readFolder(path, report)) found.push(source);
    else if (PICTURE_NAME.test(path))
      throw new InputError(`${path}: expected a folder or a tar, got a picture. Name the folder of the pictures.`);
    else for (const source of await readTar(path, stampOf(status), report)) found.push(source);
  }
  if (found.length === 0) {
    throw new InputError(
      `${[sources]
        .flat()
        .map((source) => quote(source))
        .join(", ")}: no picture with a caption. Put a .txt next to each picture, or a captions.json.`,
    );
  }
  return datasetOf(found, rest, problems, report);
}

function datasetOf(
  kept: readonly Source[],
  options: Omit<DatasetOptions, "onProblem">,
  problems: ReadonlyMap<ProblemKind, number>,
  report: ReportProblem,
): Dataset {
  const { size, seed = 0, decode = decodeImage } = options;
  const order = shuffler(kept.length, seed);
  const broken = new Set<number>();
  const checked = new Map<number, Promise<boolean>>();

  async function read(number: number): Promise<RgbImage | undefined> {
    const { key, read } = item(kept, number);
    try {
      return resizeAndCrop(await decode(await read(), key), size);
    } catch (error) {
      broken.add(number);
      report(problemLine(error, key), "broken image");
      return undefined;
    }
  }

  /** The first number from `index` on for which `use` returns a result. */
  async function firstOf<T>(index: number, use: (number: number) => Promise<T | undefined>): Promise<[number, T]> {
    for (let step = 0; step < kept.length * 2 && broken.size < kept.length; step++) {
      const number = order(index + step);
      const made = broken.has(number) ? undefined : await use(number);
      if (made) return [number, made];
    }
    throw new InputError(`${item(kept, 0).key} and ${kept.length - 1} more: every picture is broken. Check the files.`);
  }

  const captionOf = (index: number, number: number): string =>
    new Rng(seed ^ hashText(`${index}`)).pick(item(kept, number).captions);

  async function get(index: number): Promise<Sample> {
    const [number, image] = await firstOf(index, read);
    return { key: item(kept, number).key, image, caption: captionOf(index, number) };
  }

  function isWhole(number: number): Promise<boolean> {
    const known = checked.get(number) ?? read(number).then((image) => image !== undefined);
    checked.set(number, known);
    return known;
  }

  const identity = createHash("sha256").update(JSON.stringify([size, seed]));
  for (const { key, captions, stamp } of kept) identity.update(JSON.stringify([key, captions, stamp]));
  return {
    identity: identity.digest("hex").slice(0, 16),
    length: kept.length,
    problems,
    get,
    async caption(index) {
      const [number] = await firstOf(index, isWhole);
      return captionOf(index, number);
    },
    async split(count) {
      const held = new Set<Source>();
      const numbers = new Map(kept.map((source, number) => [source, number]));
      for (const group of await rankedGroups(kept)) {
        if (held.size >= count) break;
        // A broken picture would leave a small validation set empty.
        const whole = await Promise.all(group.map((source) => read(numbers.get(source) ?? 0)));
        if (whole.includes(undefined)) continue;
        for (const source of group) held.add(source);
      }
      const rest = kept.filter((source) => !held.has(source));
      if (held.size === 0 || rest.length === 0) return undefined;
      const part = (some: readonly Source[]): Dataset => datasetOf(some, options, problems, report);
      return { train: part(rest), validation: part(kept.filter((source) => held.has(source))) };
    },
    *captions() {
      for (const { captions } of kept) yield* captions;
    },
  };
}

/** Groups of the same picture in a fixed random order: the hash of a group's first key ranks it. */
async function rankedGroups(sources: readonly Source[]): Promise<readonly (readonly Source[])[]> {
  const keyed = (await sameBytes(sources)).map((group) => ({ group, key: group[0]?.key ?? "" }));
  keyed.sort((a, b) => hashText(a.key) - hashText(b.key) || byCode(a.key, b.key));
  return keyed.map(({ group }) => group);
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
      throw new InputError(`${source}: expected at least one match, got none. Check the pattern.`);
    paths.push(...matches.sort(byCode));
  }
  return paths;
}

/** index -> sample number: a new permutation in every epoch. */
function shuffler(length: number, seed: number): (index: number) => number {
  const epochs = new Map<number, Uint32Array>();
  return (index) => {
    const epoch = Math.floor(index / length);
    let order = epochs.get(epoch);
    if (!order) {
      order = permutation(length, new Rng(hashText(`${seed} ${epoch}`)));
      // A batch can span two epochs; older ones are not needed again.
      const [oldest] = epochs.keys();
      if (epochs.size > 1 && oldest !== undefined) epochs.delete(oldest);
      epochs.set(epoch, order);
    }
    return order[index % length] ?? 0;
  };
}
