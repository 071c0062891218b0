/** `seedling search`: pictures of an index that match a text or resemble a picture. */
import { stat } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import picomatch from "picomatch";
import { InputError, UsageError } from "../base/errors.ts";
import { contactSheet } from "../data/sheet.ts";
import { decodeImage, MAX_PICTURE_BYTES, resize } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { readFileBounded, writeFileAtomic } from "../io/files.ts";
import { duplicates } from "../search/duplicates.ts";
import { type Hit, nearest } from "../search/flat-search.ts";
import { codesOf, type PictureIndex, readIndex } from "../search/picture-index.ts";
import { between } from "../search/query.ts";
import { jsonOption, withExamples } from "./command.ts";
import { addModelOptions, type ModelOptions, withModel } from "./options.ts";
import { expectOutput, writeJson, writeStdout } from "./output.ts";
import { positive, whole } from "./parsers.ts";
import { Report } from "./report.ts";
import { formatTable } from "./table.ts";

interface Options extends ModelOptions {
  readonly picture?: string;
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
    .description("find pictures of an index by a text, by a picture, or by both")
    .argument("<index>", "what `seedling index` wrote")
    .argument("[text...]", "what the pictures show")
    .option("--picture <file>", "pictures like this one; with a text, both count equally")
    .option("-n, --count <n>", "pictures to find", whole(1, 10_000), 10)
    .option("--path <glob>", "only pictures whose path matches, e.g. '**/2024/**'")
    .option("--since <date>", "only pictures changed since then, e.g. 2024-05-01", date)
    .option("--until <date>", "only pictures changed before then", date)
    .option("--duplicates", "groups of near-identical pictures, in place of a search")
    .option("--threshold <cosine>", "with --duplicates: least cosine of a group, up to 1", positive({ most: 1 }), 0.97)
    .option("--sheet <file>", "thumbnails of what was found, as a PNG")
    .addOption(jsonOption('{"image":"a.png","score":0.41,"codes":[...]}'));
  return withExamples(addModelOptions(command), [
    ['seedling search photos.index "two red apples on a table"'],
    ["seedling search photos.index --picture cat.jpg --sheet found.png"],
    ["seedling search photos.index --duplicates --json"],
  ]).action(search);
}

async function search(path: string, words: string[], options: Options): Promise<void> {
  const text = words.join(" ").trim();
  const { picture, json, sheet, count } = options;
  if (options.duplicates && (text || picture))
    throw new UsageError("search: expected --duplicates or a query, got both.");
  if (!options.duplicates && !text && !picture)
    throw new UsageError("search: expected a text or --picture, got neither. Say what to look for.");
  if (sheet !== undefined) await expectOutput(sheet);
  if (picture !== undefined) await readFileBounded(picture, MAX_PICTURE_BYTES); // refused before a model is opened
  const index = await readIndex(path);
  const report = new Report(options);
  if (options.duplicates) return showDuplicates(index, options);
  const accept = await filterOf(index, options);
  const hits = await withModel(options, text ? "embedText" : "embed", async (tokenizer) => {
    if (index.codebook !== tokenizer.codebookHash)
      throw new InputError(
        `${path}: expected an index of this model, got one of ${index.model}. Name that model with --model.`,
      );
    return nearest(index, await queryOf(tokenizer, text, picture), count, accept);
  });
  const name = ({ at }: Hit): string => index.pictures[at]?.path ?? "";
  if (json)
    for (const hit of hits)
      await writeJson({ image: name(hit), score: round(hit.score), codes: codesOf(index, hit.at) });
  else await writeStdout(`${formatTable(hits.map((hit) => [round(hit.score).toFixed(3), name(hit)])).join("\n")}\n`);
  if (sheet !== undefined) {
    const png = await thumbnails(hits.map(name), hits, report);
    await writeFileAtomic(sheet, png);
    report.wrote(sheet, png.length);
  }
  report.finish(hits.length);
}

/** The unit vector to look for. */
async function queryOf(tokenizer: SeedTokenizer, text: string, picture: string | undefined): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  if (text) parts.push(...(await tokenizer.embedText([text])));
  if (picture !== undefined) parts.push(...(await tokenizer.embed([picture])));
  return between(parts);
}

async function filterOf(
  index: PictureIndex,
  { path, since, until }: Options,
): Promise<((at: number) => boolean) | undefined> {
  if (path === undefined && since === undefined && until === undefined) return undefined;
  const matches = path === undefined ? () => true : picomatch(path, { dot: true });
  return (at) => {
    const one = index.pictures[at];
    if (!one) return false;
    const { changedMs } = one;
    return (
      matches(one.path) &&
      changedMs >= (since ?? Number.NEGATIVE_INFINITY) &&
      changedMs < (until ?? Number.POSITIVE_INFINITY)
    );
  };
}

async function showDuplicates(index: PictureIndex, { threshold, json }: Options): Promise<void> {
  const groups = duplicates(index, threshold);
  for (const { pictures, cosine } of groups) {
    const paths = pictures.map((at) => index.pictures[at]?.path ?? "");
    if (json) await writeJson({ images: paths, cosine: round(cosine) });
    else await writeStdout(`${cosine.toFixed(3)}\n${paths.map((one) => `  ${one}\n`).join("")}`);
  }
}

/** Pictures that have vanished are reported and left out. */
async function thumbnails(paths: readonly string[], hits: readonly Hit[], report: Report): Promise<Uint8Array> {
  const items = [];
  for (const [i, path] of paths.entries())
    try {
      if (!(await stat(path).catch(() => undefined)))
        throw new InputError(`${path}: is not there any more. Run \`seedling index\` again to leave it out.`);
      const image = await decodeImage(await readFileBounded(path, MAX_PICTURE_BYTES), path);
      items.push({ image: resize(image, THUMBNAIL, THUMBNAIL), caption: round(hits[i]?.score ?? 0).toFixed(3) });
    } catch (error) {
      report.problem(error);
    }
  return contactSheet(items);
}

function round(score: number): number {
  return Math.round(Math.min(score, 1) * 1e4) / 1e4; // int8 rows can be a little longer than 1
}

function date(text: string): number {
  const ms = Date.parse(text);
  if (Number.isFinite(ms)) return ms;
  throw new InvalidArgumentError("Expected a date, e.g. 2024-05-01.");
}
