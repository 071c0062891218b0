/** `seedling index`: pictures -> an index to search, made or brought up to date. */
import { stat } from "node:fs/promises";
import { Command, Option } from "commander";
import { InputError } from "../base/errors.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { openIndexWriter } from "../search/open-index.ts";
import type { IndexedPicture } from "../search/picture-index.ts";
import { holderOf } from "../search/read-picture.ts";
import type { IndexWriter } from "../search/search-index.ts";
import { jsonOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { addModelOptions, closing, type ModelOptions, shownModel, withModel } from "./options.ts";
import { writeJson } from "./output.ts";
import { whole } from "./parsers.ts";
import {
  findPictures,
  type PictureFile,
  type PictureList,
  type PreparedPicture,
  preparedBatches,
} from "./picture-inputs.ts";
import { expectFolderPlace } from "./places.ts";
import { plural, Report } from "./report.ts";

interface Options extends ModelOptions {
  readonly output: string;
  readonly batch: number;
  readonly rebuild?: boolean;
  readonly json?: boolean;
}

interface Found extends PictureFile {
  readonly picture: IndexedPicture;
}

/** Between two times at which what has been computed is put on disk, ms. */
const SAVE_EVERY = 5 * 60_000;

export function indexCommand(): Command {
  const command = new Command("index")
    .description("index pictures for search: 32 codes and an embedding each, some 400 bytes")
    .argument("<pictures...>", "files, folders, globs, tar shards")
    .addOption(
      new Option(
        "-o, --output <folder>",
        "the index; an existing one is updated; a name that ends in .lance makes one in LanceDB",
      ).makeOptionMandatory(),
    )
    .option("--rebuild", "compute all pictures again")
    .option("--batch <n>", "pictures computed at a time", whole(1, 4096), 32)
    .addOption(jsonOption('{"folder":"photos.index","pictures":120,"new":20,"changed":0,"unchanged":100,"removed":0}'));
  return withExamples(addModelOptions(command), [
    ["seedling index photos/ -o photos.index"],
    ["seedling index photos/ -o photos.index", "again: only what is new or has changed is computed"],
    ["seedling index photos/ -o photos.lance", "many millions; needs: npm install @lancedb/lancedb"],
    ['seedling search photos.index "two red apples"'],
  ]).action(indexPictures);
}

async function indexPictures(inputs: string[], options: Options): Promise<void> {
  const { output, rebuild } = options;
  await expectFolderPlace(output);
  const report = new Report(options);
  await interruptible(async (signal) => {
    const found = await findPictures(inputs, report, signal);
    await withModel(options, "embed", async (tokenizer) => {
      tokenizer.expect("encode");
      const about = { codebook: tokenizer.codebookHash, model: shownModel(options) };
      await closing(await openIndexWriter(output, about, rebuild), async (writer) => {
        if (writer.before && writer.before.codebook !== about.codebook)
          throw new InputError(
            `${output}: expected an index of this model, got one of ${writer.before.model}. Name that model, or use --rebuild.`,
          );
        const indexed = await indexAll(found, tokenizer, writer, { ...options, report, signal });
        report.finish(indexed);
        report.doing("writing the index");
        const { size, added, replaced, kept, removed } = await writer.finish();
        const counts = { pictures: size, new: added, changed: replaced, unchanged: kept, removed };
        if (options.json) await writeJson({ folder: output, ...counts });
        const parts = [
          `${added} new`,
          ...(writer.before ? [`${replaced} changed`, `${kept} unchanged`, `${removed} removed`] : []),
        ];
        report.wrote(output, undefined, `${plural(size, "picture")} (${parts.join(", ")})`);
      });
    });
  });
}

/** Keeps and adds pictures; what was computed until an interruption is saved. @returns how many */
async function indexAll(
  { total, files }: PictureList,
  tokenizer: SeedTokenizer,
  writer: IndexWriter,
  { batch, report, signal }: Options & { readonly report: Report; readonly signal: AbortSignal },
): Promise<number> {
  let [done, computed] = [0, 0];
  const progress = (): void => report.progress("indexing", done, total, "pictures");
  const unknown = (async function* (): AsyncGenerator<Found> {
    for await (const file of files) {
      const picture = await describeFile(file.name);
      if (!writer.keep(picture)) yield { ...file, picture };
      else if (++done % 1000 === 0) progress();
    }
  })();
  let saved = performance.now();
  progress();
  try {
    for await (const pictures of preparedBatches(unknown, batch, { tokenizer, report, signal })) {
      await writer.add(await entriesOf(pictures, tokenizer, signal));
      done += pictures.length;
      computed += pictures.length;
      progress();
      if (performance.now() - saved < SAVE_EVERY) continue;
      await writer.save();
      saved = performance.now();
    }
  } catch (error) {
    if (!signal.aborted || computed === 0) throw error;
    await writer.save();
    report.clear();
    report.note(`saved ${plural(computed, "new picture")}; run the same command again to continue`);
    throw error;
  }
  return done;
}

async function entriesOf(pictures: readonly PreparedPicture<Found>[], tokenizer: SeedTokenizer, signal: AbortSignal) {
  const images = pictures.map(({ image }) => image);
  const computed = await tokenizer.encodeAndEmbed(images, { batch: images.length, signal });
  return pictures.map(({ file: { picture } }, i) => {
    const { codes = [], embedding: vector = new Float32Array(0) } = computed[i] ?? {};
    return { picture, codes: Array.from(codes), vector };
  });
}

/** A picture within a tar has size and time of the tar. */
async function describeFile(path: string): Promise<IndexedPicture> {
  const holder = await holderOf(path);
  const found = holder === undefined ? undefined : await stat(holder).catch(() => undefined);
  return { path, sizeBytes: found?.size ?? 0, changedMs: found ? Math.round(found.mtimeMs) : -1 };
}
