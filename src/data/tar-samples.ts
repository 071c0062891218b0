/** The captioned pictures of a WebDataset tar. */

import { decodeText } from "../base/decode-text.ts";
import { InputError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { MAX_PICTURE_BYTES, PICTURE_NAME } from "../image/index.ts";
import { captionsBeside } from "./caption-files.ts";
import {
  CAPTION_ENDINGS,
  firstOf,
  leftOutLine,
  MAX_CAPTION_BYTES,
  type ReportProblem,
  type Source,
} from "./sources.ts";
import { followLinks, readTarEntry, type TarEntry, tarFileEntries } from "./tar.ts";
import { splitName } from "./webdataset.ts";

type Place = Omit<TarEntry, "read">;

interface TarSample {
  readonly key: string;
  /** By ending, without the leading dot. */
  readonly files: Map<string, Place>;
  captions: string[];
  /** Of the file that the captions are from, among `CAPTION_ENDINGS`. */
  rank: number;
}

const PICTURE_ENDING = /^(png|jpe?g|webp|gif|avif)$/;

/**
 * One pass over the tar finds where everything is; captions are read then, pictures later in any order. The picture of
 * a sample is the file whose ending is exactly `png`, `jpg` and so on: `000.png`, never `000.depth.png`.
 */
export async function readTar(path: string, stamp: string, report: ReportProblem): Promise<Source[]> {
  const { samples, entries } = await listTar(path, report);
  const chosen: string[] = [];
  const unused: string[] = [];
  const sources: Source[] = [];
  for (const sample of samples) {
    const { key, files } = sample;
    const where = `${path}: ${key}`;
    const pictures = [...files].filter(([ending]) => PICTURE_ENDING.test(ending)).map(([, place]) => place);
    const [first] = pictures;
    const picture = first && followed(first, entries, path, report);
    if (first && pictures.length > 1) chosen.push(first.name);
    if (picture) await readLinkedCaptions(sample, entries, path, report);
    const { captions } = sample;
    if (first) unused.push(...notRead(files));
    if (!first)
      report(
        `${where}: no picture among its files (${[...files.keys()].join(", ")}).${hint(key, files)}`,
        "unused file",
      );
    else if (!picture)
      continue; // reported with its link
    else if (captions.length === 0) report(`${where}: no caption. Add ${key}.txt.`, "missing caption");
    else {
      const read = () => readTarEntry(path, picture, MAX_PICTURE_BYTES);
      sources.push({ key: where, captions, stamp, sizeBytes: picture.size, read });
    }
  }
  reportChoices(path, chosen, unused, report);
  return sources;
}

/** Further pictures of a sample are reported with the one that was chosen. */
const notRead = (files: ReadonlyMap<string, Place>): string[] =>
  [...files]
    .filter(([ending]) => !PICTURE_ENDING.test(ending) && !CAPTION_ENDINGS.includes(ending))
    .map(([, { name }]) => name);

/** A dot within the name of a picture is the usual reason why a sample seems to have none. */
function hint(key: string, files: ReadonlyMap<string, Place>): string {
  const name = [...files.values()].find(({ name }) => PICTURE_NAME.test(name))?.name;
  return name === undefined
    ? ""
    : ` A sample's name ends at its first dot: rename ${quote(name)} to ${key}.png or the like.`;
}

function reportChoices(path: string, chosen: string[], unused: string[], report: ReportProblem): void {
  if (chosen.length > 0)
    report(
      `${path}: several pictures in a sample; the first is used: ${firstOf(chosen)}.`,
      "unused file",
      chosen.length,
    );
  const pictures = unused.filter((name) => PICTURE_NAME.test(name));
  if (pictures.length > 0) {
    const rule = "the picture of a sample ends in exactly .png, .jpg, .webp, .gif or .avif after its first dot";
    report(`${path}: left out ${firstOf(pictures)}: ${rule}.`, "unused file", pictures.length);
  }
  const others = unused.filter((name) => !PICTURE_NAME.test(name));
  if (others.length > 0) report(leftOutLine(path, others), "unused file", others.length);
}

interface TarList {
  readonly samples: readonly TarSample[];
  readonly entries: ReadonlyMap<string, Place>;
}

async function listTar(path: string, report: ReportProblem): Promise<TarList> {
  const samples: TarSample[] = [];
  const latest = new Map<string, TarSample>();
  const entries = new Map<string, Place>();
  const repeated = new Set<string>();
  let others: string[] = [];
  let last: TarSample | undefined;
  try {
    for await (const { read, ...place } of tarFileEntries(path, (line) => report(line, "unused file"))) {
      const { name } = place;
      const { key, ending } = splitName(name);
      if (key === undefined) others.push(name);
      else {
        last = latest.get(key);
        if (last?.files.has(ending)) repeated.add(key);
        if (!last || last.files.has(ending)) {
          last = { key, files: new Map(), captions: [], rank: CAPTION_ENDINGS.length };
          latest.set(key, last);
          samples.push(last);
        }
        last.files.set(ending, place);
        if (place.target === undefined) await readCaptions(last, ending, place.size, read, path, report);
      }
      entries.set(name, place);
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    report(`${error.message} The samples before that are used.`, "broken tar");
    if (last) samples.splice(samples.indexOf(last), 1);
  }
  others = others.filter((name) => !/(^|\/)\./.test(name));
  if (others.length > 0)
    report(
      `${path}: left out ${firstOf(others)}: no key with an ending, as WebDataset has them.`,
      "unused file",
      others.length,
    );
  if (repeated.size > 0)
    report(
      `${path}: ${firstOf([...repeated])}: a key that comes again; each time is a sample of its own.`,
      "unused file",
      repeated.size,
    );
  return { samples, entries };
}

/** The file itself, or the one a link leads to; undefined, which is reported, if that is not in the tar. */
function followed(place: Place, entries: TarList["entries"], path: string, report: ReportProblem): Place | undefined {
  const found = followLinks(entries, place);
  if (!found)
    report(
      `${path}: ${quote(place.name)} is a link to ${quote(place.target ?? "")}, which is not in the tar.`,
      "unused file",
    );
  return found;
}

/** Keeps the captions of a file if they are the best so far: one pass over the tar, whatever the order of its files. */
async function readCaptions(
  sample: TarSample,
  ending: string,
  size: number,
  read: () => Promise<Uint8Array>,
  path: string,
  report: ReportProblem,
): Promise<void> {
  const rank = CAPTION_ENDINGS.indexOf(ending);
  if (rank < 0 || rank >= sample.rank) return;
  const where = `${path}: ${sample.key}.${ending}`;
  try {
    if (size > MAX_CAPTION_BYTES)
      throw new InputError(`${where}: expected at most ${MAX_CAPTION_BYTES} bytes, got ${size}.`);
    const captions = captionsBeside(decodeText(await read(), where), ending, where);
    if (captions.length > 0) Object.assign(sample, { captions, rank });
  } catch (error) {
    // Only what is wrong with the text: a tar that ends here has lost this sample, and those after it.
    if (!(error instanceof InputError)) throw error;
    report(error.message, "broken caption file");
  }
}

async function readLinkedCaptions(
  sample: TarSample,
  entries: TarList["entries"],
  path: string,
  report: ReportProblem,
): Promise<void> {
  for (const [ending, place] of sample.files) {
    if (place.target === undefined || !CAPTION_ENDINGS.includes(ending)) continue;
    const file = followed(place, entries, path, report);
    if (!file) continue;
    const read = () => readTarEntry(path, file, MAX_CAPTION_BYTES);
    await readCaptions(sample, ending, file.size, read, path, report);
  }
}
