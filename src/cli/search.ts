/** `seedling search`: pictures of an index that match a text, or resemble a picture or codes. */
import { Command, InvalidArgumentError } from "commander";
import { InputError, UsageError } from "../base/errors.ts";
import { contactSheet, type SheetItem } from "../data/sheet.ts";
import { decodeImage, MAX_PICTURE_BYTES, resize } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { readFileBounded, writeFileAtomic } from "../io/files.ts";
import { duplicates } from "../search/duplicates.ts";
import { openIndex } from "../search/open-index.ts";
import { between } from "../search/query.ts";
import { holderOf, readIndexed } from "../search/read-picture.ts";
import { type FoundPicture, roundedScore, type SearchIndex } from "../search/search-index.ts";
import { type CodeFile, codeFiles, readCodes } from "./code-inputs.ts";
import { jsonOption, withExamples } from "./command.ts";
import { addModelOptions, closing, type ModelOptions, withModel } from "./options.ts";
import { expectOutput, writeJson, writeStdout } from "./output.ts";
import { positive, whole } from "./parsers.ts";
import { plural, Report } from "./report.ts";
import { formatTable } from "./table.ts";

interface Options extends ModelOptions {
  readonly picture?: string;
  readonly codes?: string;
  readonly count: number;
  readonly path?: string;
  readonly since?: number;
  readonly until?: number;
  readonly duplicates?: boolean;
  readonly threshold: number;
  readonly sheet?: string;
  readonly json?: boolean;
}

const THUMBNAIL = 96;

export function searchCommand(): Command {
  const command = new Command("search")
    .description("find pictures of an index by a text, by a picture, by codes, or by several of these")
    .argument("<index>", "what `seedling index` wrote")
    .argument("[text...]", "what the pictures show")
    .option("--picture <file>", "pictures like this one; with a text, both count equally")
    .option(
      "--codes <file>",
      "pictures like those of these codes, as `seedling tokenize` writes them; - for standard input",
    )
    .option("-n, --count <n>", "pictures to find", whole(1, 10_000), 10)
    .option("--path <glob>", "only pictures whose path matches, e.g. '**/2024/**'")
    .option("--since <date>", "only pictures changed since then, e.g. 2024-05-01", date)
    .option("--until <date>", "only pictures changed before then", date)
    .option("--duplicates", "groups of near-identical pictures, instead of a search")
    .option(
      "--threshold <cosine>",
      "with --duplicates: lowest cosine within a group, up to 1",
      positive({ most: 1 }),
      0.97,
    )
    .option("--sheet <file>", "thumbnails of what was found, as a PNG")
    .addOption(jsonOption('{"image":"a.png","score":0.41,"codes":[...]}'));
  return withExamples(addModelOptions(command), [
    ['seedling search photos.index "two red apples on a table"'],
    ["seedling search photos.index --picture cat.jpg --sheet found.png"],
    ["seedling tokenize cat.jpg | seedling search photos.index --codes -"],
    ["seedling search photos.index --duplicates --json"],
  ]).action(search);
}

async function search(path: string, words: string[], options: Options): Promise<void> {
  const text = words.join(" ").trim();
  const { picture, codes, sheet } = options;
  const queries = [text, picture, codes].filter(Boolean).length;
  if (options.duplicates && queries > 0) throw new UsageError("search: expected --duplicates or a query, got both.");
  if (!options.duplicates && queries === 0)
    throw new UsageError("search: expected a text, --picture or --codes, got none. Say what to look for.");
  if (sheet !== undefined) await expectOutput(sheet);
  if (picture !== undefined) await readFileBounded(picture, MAX_PICTURE_BYTES); // refused before a model is opened
  const report = new Report(options);
  const given = codes === undefined ? [] : await codeFiles([codes], report);
  await closing(await openIndex(path), async (index) => {
    if (options.duplicates) return showDuplicates(index, options, report);
    const needs = text ? "embedText" : picture !== undefined ? "embed" : "embedCodes";
    const hits = await withModel(options, needs, async (tokenizer) => {
      if (index.codebook !== tokenizer.codebookHash)
        throw new InputError(
          `${path}: expected an index of this model, got one of ${index.model}. Name that model with --model.`,
        );
      const query = between(await queriesOf(tokenizer, { text, picture, codes: given }, report));
      return index.nearest(query, options.count, options);
    });
    await show(hits, options, report);
  });
}

/** The unit vectors to look for. */
async function queriesOf(
  tokenizer: SeedTokenizer,
  { text, picture, codes }: { text: string; picture: string | undefined; codes: readonly CodeFile[] },
  report: Report,
): Promise<Float32Array[]> {
  const parts: Float32Array[] = [];
  if (text) parts.push(...(await tokenizer.embedText([text])));
  if (picture !== undefined) parts.push(...(await tokenizer.embed([picture])));
  if (codes.length === 0) return parts;
  const signal = new AbortController().signal;
  const read = await readCodes(codes, { size: tokenizer.codebookSize, report, signal });
  if (read.length === 0) report.finish(0);
  parts.push(...(await tokenizer.embedCodes(read.map((one) => one.codes))));
  return parts;
}

async function show(hits: readonly FoundPicture[], { json, sheet }: Options, report: Report): Promise<void> {
  if (json) for (const { path: image, score, codes } of hits) await writeJson({ image, score, codes });
  else if (hits.length === 0) report.note("no picture matches the filters");
  else await writeStdout(`${formatTable(hits.map(({ score, path }) => [score.toFixed(3), path])).join("\n")}\n`);
  const gone: string[] = [];
  for (const { path } of hits) if ((await holderOf(path)) === undefined) gone.push(path);
  if (gone.length > 0) report.warn(vanished(gone, hits.length));
  if (sheet !== undefined) {
    const there = hits.filter(({ path }) => !gone.includes(path));
    const png = await thumbnails(there, report);
    await writeFileAtomic(sheet, png);
    report.wrote(sheet, png.length);
  }
  report.finish(hits.length);
}

/** "photos/3.jpg: no longer exists. ..." */
function vanished([first = "", ...others]: readonly string[], count: number): string {
  const fix = "Run `seedling index` again, from the same folder, to leave out what has vanished.";
  return others.length === 0
    ? `${first}: no longer exists. ${fix}`
    : `${others.length + 1} of ${count} pictures that were found no longer exist, such as ${first}. ${fix}`;
}

async function showDuplicates(index: SearchIndex, { threshold, json }: Options, report: Report): Promise<void> {
  const rows = await index.load();
  const groups = duplicates(rows, threshold);
  for (const { pictures, cosine } of groups) {
    const paths = pictures.map((at) => rows.pictures[at]?.path ?? "");
    if (json) await writeJson({ images: paths, cosine: roundedScore(cosine) });
    else await writeStdout(`${roundedScore(cosine).toFixed(3)}\n${paths.map((one) => `  ${one}\n`).join("")}`);
  }
  if (!json) report.note(`${plural(groups.length, "group")} among ${plural(rows.pictures.length, "picture")}`);
}

/** Pictures that cannot be read are reported and left out. */
async function thumbnails(hits: readonly FoundPicture[], report: Report): Promise<Uint8Array> {
  const items: SheetItem[] = [];
  for (const { path, score } of hits)
    try {
      const image = await decodeImage(await readIndexed(path), path);
      items.push({ image: resize(image, THUMBNAIL, THUMBNAIL), caption: score.toFixed(3) });
    } catch (error) {
      report.problem(error);
    }
  return contactSheet(items);
}

function date(text: string): number {
  const ms = Date.parse(text);
  if (Number.isFinite(ms)) return ms;
  throw new InvalidArgumentError("Expected a date, e.g. 2024-05-01.");
}
