/** `seedling index`: pictures -> an index to search, made or brought up to date. */
import { stat } from "node:fs/promises";
import { Command, Option } from "commander";
import { InputError } from "../base/errors.ts";
import { exists } from "../io/files.ts";
import { replaceFolder } from "../io/replace-folder-node.ts";
import { IndexBuilder } from "../search/build-index.ts";
import { type IndexedPicture, readIndex, writeIndex } from "../search/picture-index.ts";
import { withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { addModelOptions, type ModelOptions, withModel } from "./options.ts";
import { whole } from "./parsers.ts";
import { findPictures, type PictureFile, preparedBatches } from "./picture-inputs.ts";
import { expectFolderPlace } from "./places.ts";
import { plural, Report } from "./report.ts";

interface Options extends ModelOptions {
  readonly output: string;
  readonly batch: number;
  readonly rebuild?: boolean;
}

export function indexCommand(): Command {
  const command = new Command("index")
    .description("index pictures for search: 32 codes and an embedding each, some 300 bytes")
    .argument("<pictures...>", "files, folders, globs, tar shards")
    .addOption(
      new Option("-o, --output <folder>", "the index; one that is there is brought up to date").makeOptionMandatory(),
    )
    .option("--rebuild", "compute all pictures again")
    .option("--batch <n>", "pictures computed at a time", whole(1, 4096), 32);
  return withExamples(addModelOptions(command), [
    ["seedling index photos/ -o photos.index"],
    ["seedling index photos/ -o photos.index", "again: only what is new or has changed is computed"],
    ['seedling search photos.index "two red apples"'],
  ]).action(indexPictures);
}

async function indexPictures(inputs: string[], options: Options): Promise<void> {
  const { output, batch } = options;
  await expectFolderPlace(output);
  const report = new Report(options);
  const old = !options.rebuild && (await exists(output)) ? await readIndex(output) : undefined;
  await interruptible(async (signal) => {
    const { total, files } = await findPictures(inputs, report, signal);
    await withModel(options, "embed", async (tokenizer) => {
      if (old && old.codebook !== tokenizer.codebookHash)
        throw new InputError(
          `${output}: expected an index of this model, got one of ${old.model}. Name that model, or use --rebuild.`,
        );
      const builder = new IndexBuilder(tokenizer, options.model, old);
      const known = new Map<string, IndexedPicture>();
      report.progress("indexing", 0, total, "pictures");
      const unknown = (async function* (): AsyncGenerator<PictureFile> {
        for await (const file of files) {
          const picture = await describeFile(file.name);
          if (builder.keep(picture)) continue;
          known.set(file.name, picture);
          yield file;
        }
      })();
      for await (const pictures of preparedBatches(unknown, batch, { tokenizer, report, signal })) {
        await builder.add(
          pictures.map(({ name, image }) => ({
            picture: known.get(name) ?? { path: name, sizeBytes: 0, changedMs: 0 },
            image,
          })),
          signal,
        );
        report.progress("indexing", builder.size, total, "pictures");
      }
      report.finish(builder.size);
      const index = builder.finish();
      await replaceFolder(output, (folder) => writeIndex(folder, index));
      const gone = (old?.pictures.length ?? 0) - builder.kept;
      const parts = [
        `${builder.size - builder.kept} computed`,
        `${builder.kept} unchanged`,
        ...(old ? [`${Math.max(gone, 0)} replaced or gone`] : []),
      ];
      report.wrote(output, undefined, `${plural(builder.size, "picture")} (${parts.join(", ")})`);
    });
  });
}

/** A picture within a tar has no size of its own here and is computed each time. */
async function describeFile(path: string): Promise<IndexedPicture> {
  const found = await stat(path).catch(() => undefined);
  return { path, sizeBytes: found?.size ?? 0, changedMs: found ? Math.round(found.mtimeMs) : -1 };
}
