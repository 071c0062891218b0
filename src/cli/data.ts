/** `seedling data`: built-in scenes as WebDataset shards and a contact sheet. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import {
  contactSheet,
  createSceneSource,
  everydayNouns,
  nounTable,
  openAtlas,
  SPLITS,
  type Split,
  sceneSample,
  writeShards,
} from "../data/index.ts";
import { imageOf } from "../evaluation/scores.ts";
import { makeFolder, writeFileAtomic } from "../io/files.ts";
import { packageScript } from "../io/package-script-node.ts";
import { jsonOption, nounsOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { writeBeside } from "./output.ts";
import { whole } from "./parsers.ts";
import { plural, Report } from "./report.ts";

interface Options {
  readonly count: number;
  readonly size: number;
  readonly nouns: number;
  readonly split: Split;
  readonly start: number;
  readonly perShard: number;
  readonly overwrite?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Scenes on the contact sheet. */
const SHEET = 40;
const SHEET_NAME = "contact-sheet.png";

/** The command. `atlas` opens the sprites that scenes are made of. */
export function dataCommand(atlas = openAtlas): Command {
  const command = new Command("data")
    .description("write built-in scenes with captions and questions as WebDataset shards")
    .argument("<folder>", "where shards and the contact sheet go")
    .option("--count <n>", "number of scenes", whole(1, 10_000_000), 1000)
    .option("--size <px>", "side of the pictures, pixels", whole(8, 512), 64)
    .addOption(nounsOption())
    .addOption(new Option("--split <name>", "which scenes").choices(SPLITS).default("train"))
    .option("--start <n>", "seed of the first scene", whole(0), 0)
    .option("--per-shard <n>", "scenes in one shard", whole(1), 1000)
    .option("--overwrite", "remove the shards that are in the folder first")
    .addOption(jsonOption('{"file":"shards/shard-000000.tar","bytes":1203200}'));
  return withExamples(
    command,
    [
      ["seedling data shards/", "1,000 scenes of 64 px"],
      ["seedling data shards/ --count 100000 --size 128 --overwrite", "replaces existing shards"],
      ["seedling data held-out/ --split held-out-style --count 500", "drawn in a style that is never trained on"],
    ],
    `The scenes are made of icon sets, which are installed once: ${packageScript("icons")}`,
  ).action((folder: string, options: Options) => interruptible((signal) => writeData(folder, options, atlas, signal)));
}

/** Ctrl-C ends it before the next scene; shards that are whole stay. */
async function writeData(
  folder: string,
  options: Options,
  atlas: typeof openAtlas,
  signal: AbortSignal,
): Promise<void> {
  const { count, size, nouns, split, start, perShard, overwrite } = options;
  const report = new Report(options);
  await makeFolder(folder);
  await clearShards(folder, overwrite);
  const list = nouns === 0 ? [...nounTable().keys()] : everydayNouns(nouns);
  report.doing("opening the drawings that scenes are made of");
  const progress = (done: number, total: number): void => {
    signal.throwIfAborted();
    report.progress("preparing drawings, once", done, total);
  };
  const source = createSceneSource(await atlas({ progress }), { size, nouns: list, split });
  async function* samples() {
    for (let i = 0; i < count; i++) {
      signal.throwIfAborted();
      report.progress("writing scenes", i, count, "scenes");
      yield await sceneSample(source.scene(start + i));
    }
  }
  const paths = await writeShards(folder, samples(), { perShard });
  const first = Array.from({ length: Math.min(SHEET, count) }, (_, i) => source.scene(start + i));
  const sheet = join(folder, SHEET_NAME);
  const pictures = first.map((scene) => ({ image: imageOf(scene), caption: scene.caption }));
  await writeFileAtomic(sheet, await contactSheet(pictures, { columns: 8, zoom: 2 }));
  report.clear();
  let total = 0;
  for (const file of [...paths, sheet]) {
    const { size: bytes } = await stat(file);
    total += bytes;
    if (options.json) await writeBeside(`${JSON.stringify({ file, bytes })}\n`);
  }
  report.wrote(folder, total, `${plural(count, "scene")} in ${plural(paths.length, "shard")}, and ${SHEET_NAME},`);
}

/** Shards of another run would be read together with the new ones. @throws UsageError if there are some, and `overwrite` is not set */
async function clearShards(folder: string, overwrite = false): Promise<void> {
  const old: string[] = [];
  for (const name of await readdir(folder))
    if (/\.tar$/i.test(name) && (await stat(join(folder, name)).catch(() => undefined))?.isFile()) old.push(name);
  if (old.length === 0) return;
  if (!overwrite)
    throw new UsageError(
      `${folder}: expected a folder without shards, found ${plural(old.length, "shard")}. Name another, or set overwrite to remove them.`,
    );
  const foreign = old.filter((name) => !/^shard-\d{6}\.tar$/.test(name));
  if (foreign.length > 0)
    throw new UsageError(`${folder}: expected only shards of this command, found ${foreign[0]}. Name another folder.`);
  await Promise.all([...old, SHEET_NAME].map((name) => rm(join(folder, name), { force: true })));
}
