/** The captioned pictures of a folder and of the folders in it: captions next to the pictures, or in lists. */

import { stat } from "node:fs/promises";
import { decodeText } from "../base/decode-text.ts";
import { quote } from "../base/one-line.ts";
import { MAX_PICTURE_BYTES, PICTURE_NAME } from "../image/index.ts";
import { fileError, readFileBounded } from "../io/files.ts";
import { join } from "../io/paths.ts";
import { basename, dirname, join as joinNames } from "../io/url-paths.ts";
import { walkFolder } from "../io/walk.ts";
import { captionList, captionsBeside, LIST_NAMES } from "./caption-files.ts";
import {
  CAPTION_ENDINGS,
  firstOf,
  leftOutLine,
  MAX_CAPTION_BYTES,
  type ReportProblem,
  type Source,
  stampOf,
} from "./sources.ts";
import { readTar } from "./tar-samples.ts";

const MAX_LIST_BYTES = 512 * 1024 ** 2;

/**
 * Lists are read in every folder and name pictures relative to it; a picture without a line in one has a `.txt`, `.caption`
 * or `.json` next to it. Tars in the folder are read as WebDataset shards.
 */
export async function readFolder(folder: string, report: ReportProblem): Promise<Source[]> {
  const files = await walkFolder(folder);
  const names = new Names(files.filter(({ regular }) => regular).map(({ name }) => name));
  const used = new Set<string>();

  /** Undefined if it is too large, not text, or cannot be read, which is reported. */
  async function text(name: string, max: number): Promise<string | undefined> {
    const path = join(folder, name);
    try {
      return decodeText(await readFileBounded(path, max), path);
    } catch (error) {
      report(fileError(error, path).message, "broken caption file");
      return undefined;
    }
  }

  async function readLists(): Promise<Map<string, string[]>> {
    const listed = new Map<string, string[]>();
    for (const name of names.all.filter((name) => LIST_NAMES.includes(basename(name).toLowerCase()))) {
      used.add(name);
      const where = join(folder, name);
      const contents = await text(name, MAX_LIST_BYTES);
      if (contents === undefined) continue;
      const missing: string[] = [];
      const list = captionList(contents, where, (problem) => report(problem, "broken caption file"));
      for (const [file, captions] of list) {
        const picture = names.find(joinNames(dirname(name), file.replaceAll("\\", "/")));
        if (picture === undefined) missing.push(quote(file));
        else listed.set(picture, [...new Set([...(listed.get(picture) ?? []), ...captions])]);
      }
      if (missing.length > 0)
        report(
          `${where}: lists ${firstOf(missing)}, which is not in the folder.`,
          "broken caption file",
          missing.length,
        );
    }
    return listed;
  }

  async function captionsFor(name: string): Promise<string[]> {
    const stem = name.replace(PICTURE_NAME, "");
    for (const ending of CAPTION_ENDINGS) {
      const beside = names.find(`${stem}.${ending}`);
      if (beside === undefined) continue;
      used.add(beside);
      const contents = await text(beside, MAX_CAPTION_BYTES);
      if (contents === undefined) continue;
      try {
        const captions = captionsBeside(contents, ending, join(folder, beside));
        if (captions.length > 0) return captions;
      } catch (error) {
        report(fileError(error, beside).message, "broken caption file");
      }
    }
    return [];
  }

  const listed = await readLists();
  const sources: Source[] = [];
  for (const name of names.all) {
    const path = join(folder, name);
    if (/\.tar$/i.test(name)) {
      for (const source of await readTar(path, await stat(path).then(stampOf, () => ""), report)) sources.push(source);
    } else if (PICTURE_NAME.test(name)) {
      const known = listed.get(name) ?? [];
      const captions = known.length > 0 ? known : await captionsFor(name);
      // A picture that has been deleted by now is reported when it is read.
      const status = captions.length > 0 ? await stat(path).catch(() => undefined) : undefined;
      const read = () => readFileBounded(path, MAX_PICTURE_BYTES);
      const about = { stamp: status ? stampOf(status) : "", sizeBytes: status?.size ?? 0 };
      if (captions.length > 0) sources.push({ key: path, captions, ...about, read });
      else {
        const file = `${basename(name).replace(PICTURE_NAME, "")}.txt`;
        report(`${path}: no caption. Put it into ${file} next to the picture.`, "missing caption");
      }
    } else continue;
    used.add(name);
  }
  reportUnused(
    folder,
    files.map(({ name }) => name).filter((name) => !used.has(name)),
    names,
    report,
  );
  return sources;
}

/** Captions that found no picture, and how many files are of kinds that are not read. */
function reportUnused(folder: string, unused: readonly string[], names: Names, report: ReportProblem): void {
  const isCaption = (name: string): boolean => /\.(txt|caption)$/i.test(name);
  const pictured = (name: string): boolean => names.hasPicture(name.replace(/\.[^./]*$/, ""));
  const lone = unused.filter((name) => isCaption(name) && !pictured(name));
  if (lone.length > 0)
    report(`${join(folder, firstOf(lone))}: a caption without a picture.`, "unused file", lone.length);
  const others = unused.filter((name) => !isCaption(name) && !pictured(name));
  if (others.length > 0) report(leftOutLine(folder, others), "unused file", others.length);
}

/** The names of a folder, found as they are written, or else as Windows and macOS would find them. */
class Names {
  readonly all: readonly string[];
  readonly #exact: ReadonlySet<string>;
  /** Undefined where several names differ only in case or in the form of their accents. */
  readonly #loose = new Map<string, string | undefined>();
  readonly #stems: ReadonlySet<string>;

  constructor(all: readonly string[]) {
    this.all = all;
    this.#exact = new Set(all);
    for (const name of all) this.#loose.set(loosely(name), this.#loose.has(loosely(name)) ? undefined : name);
    this.#stems = new Set(all.filter((n) => PICTURE_NAME.test(n)).map((n) => loosely(n.replace(PICTURE_NAME, ""))));
  }

  find(name: string): string | undefined {
    return this.#exact.has(name) ? name : this.#loose.get(loosely(name));
  }

  hasPicture(stem: string): boolean {
    return this.#stems.has(loosely(stem));
  }
}

/** Names that differ only in case, or in how their accents are composed, are one file on other systems. */
const loosely = (name: string): string => name.normalize("NFC").toLowerCase();
