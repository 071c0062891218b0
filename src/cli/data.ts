/** `seedling data`: built-in scenes as WebDataset shards and a contact sheet. */
import { join } from "node:path";
import { Command, Option } from "commander";
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
import { interruptible } from "./interrupt.ts";
import { whole } from "./options.ts";

interface DataOptions {
  readonly count: number;
  readonly size: number;
  readonly nouns: number;
  readonly split: Split;
  readonly start: number;
  readonly perShard: number;
  readonly quiet?: boolean;
}

const SHEET = 40;

/** The command. `atlas` opens the sprites that scenes are made of. */
export function dataCommand(atlas = openAtlas): Command {
  return new Command("data")
    .description("Write built-in scenes with captions and questions as WebDataset shards (needs: npm run icons)")
    .argument("<folder>", "where shards and the contact sheet go")
    .option("--count <n>", "number of scenes", whole(1, 10_000_000), 1000)
    .option("--size <px>", "side of the pictures", whole(8, 512), 64)
    .option("--nouns <n>", "the first n everyday nouns, 0 for the full table", whole(0), 48)
    .addOption(new Option("--split <name>", "which scenes").choices(SPLITS).default("train"))
    .option("--start <seed>", "first seed", whole(0), 0)
    .option("--per-shard <n>", "scenes in one tar", whole(1), 1000)
    .option("-q, --quiet", "no progress")
    .action((folder: string, options: DataOptions) =>
      interruptible((signal) => writeData(folder, options, atlas, signal)),
    );
}

/** Ctrl-C ends it before the next scene; shards that are whole stay. */
async function writeData(
  folder: string,
  { count, size, nouns, split, start, perShard, quiet }: DataOptions,
  atlas: typeof openAtlas,
  signal: AbortSignal,
): Promise<void> {
  await makeFolder(folder); // before the long work, if it cannot be made
  const list = nouns === 0 ? [...nounTable().keys()] : everydayNouns(nouns);
  const progress = (done: number, total: number): void => {
    signal.throwIfAborted();
    if (!quiet && done % 500 === 0) process.stderr.write(`drawing sprites: ${done}/${total}\n`);
  };
  const source = createSceneSource(await atlas({ progress }), { size, nouns: list, split });
  const first = Array.from({ length: Math.min(SHEET, count) }, (_, i) => source.scene(start + i));
  async function* samples() {
    const begun = performance.now();
    for (let i = 0; i < count; i++) {
      signal.throwIfAborted();
      yield await sceneSample(source.scene(start + i));
      if (!quiet && (i + 1) % perShard === 0) {
        const rate = (1000 * (i + 1)) / (performance.now() - begun);
        process.stderr.write(
          `${i + 1}/${count} scenes, ${rate.toFixed(0)}/s, ${((count - i - 1) / rate).toFixed(0)} s left\n`,
        );
      }
    }
  }
  const paths = await writeShards(folder, samples(), { perShard });
  const sheet = join(folder, "contact-sheet.png");
  await writeFileAtomic(
    sheet,
    await contactSheet(
      first.map((s) => ({ image: imageOf(s), caption: s.caption })),
      { columns: 8, zoom: 2 },
    ),
  );
  for (const path of [...paths, sheet]) process.stdout.write(`${path}\n`);
}
