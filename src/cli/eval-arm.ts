/** `seedling eval arm`: a model as one arm of the papers' tables, on the built-in scenes, as the JSON that `paper` reads. */
import { Argument, Command, Option } from "commander";
import type { Atlas } from "../data/index.ts";
import { SCENE_TABLES } from "../evaluation/paper/index.ts";
import { judgeRunOption, nounsOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { addLanguageOptions, type LanguageOptions } from "./language-options.ts";
import { type MeasuringOptions, measureArm } from "./measure-arm.ts";
import { findModel } from "./options.ts";
import { whole } from "./parsers.ts";
import { expectFilePlace } from "./places.ts";
import { Report } from "./report.ts";

interface Options extends LanguageOptions {
  readonly output: string;
  readonly losses: "published" | "ours";
  readonly run: number;
  readonly made: string;
  readonly commit?: string;
  readonly machine?: string;
  readonly count: number;
  readonly spans: number;
  readonly gallery: number;
  readonly nouns: number;
  readonly offset: number;
  readonly judge?: string;
  readonly judgeRun?: string;
  readonly gill?: string;
}

export function evalArmCommand(drawings: () => Promise<Atlas>): Command {
  const command = new Command("arm")
    .description("measure a model as one arm of the papers' tables, with all that paired comparisons need")
    .addArgument(new Argument("<table>", "which table").choices(SCENE_TABLES))
    .argument("<arm>", "which arm (docs/paper/README.md lists them)")
    .requiredOption("-o, --output <file>", "the JSON of the arm, for seedling paper")
    .addOption(new Option("--losses <kind>", "what it was trained with").choices(["published", "ours"]).default("ours"))
    .option("--run <n>", "the seed that it was trained with", whole(0), 1)
    .requiredOption("--made <command>", "the command that trained it, shown in the table")
    .option("--commit <hash>", "the version of this project that trained it")
    .option("--machine <text>", "where")
    .option("--count <n>", "scenes of each set; retrieval also has a set of five times as many", whole(10), 1000)
    .option("--spans <n>", "prompts that are drawn without any rule, to count well-formed pictures", whole(1), 5000)
    .option("--gallery <n>", "training pictures that the pixel baselines search", whole(1), 5000)
    .addOption(nounsOption())
    .option(
      "--offset <seed>",
      "first seed of the scenes: publish scores on seeds that no decision was based on",
      whole(0),
      0,
    )
    .option("--judge <folder>", "the model whose CLIP pair compares pictures (default: the model itself)")
    .addOption(judgeRunOption())
    .option("--gill <folder>", "for the arm gill: the folder of stage gill in a run");
  return withExamples(addLanguageOptions(command), [
    [
      'seedling eval arm retrieval causal-codes --losses published --made "seedling train ..." -o docs/paper/codes.json',
    ],
    [
      'seedling eval arm generation codes-ours --judge models/judge --made "seedling train ..." -o docs/paper/pictures.json',
    ],
  ]).action((table: string, arm: string, options: Options) => evalArm(table, arm, options, drawings));
}

async function evalArm(table: string, arm: string, options: Options, drawings: () => Promise<Atlas>): Promise<void> {
  const { output, losses, run: seed, made, commit = "", machine = "", count, spans: prompts, gallery } = options;
  const { nouns, offset, judge, judgeRun, gill, lm, adapter, lmBits, device, threads } = options;
  await expectFilePlace(output);
  const report = new Report(options);
  await interruptible(async (signal) => {
    report.doing("opening the drawings that scenes are made of");
    const atlas = await drawings();
    report.clear();
    const own = `seedling eval arm ${table} ${arm} --count ${count} --offset ${offset} --nouns ${nouns}`;
    const about = { table, arm, losses, seed, command: `${made} && ${own}`, commit, machine };
    const text = await measureArm(about, output, {
      ...{ atlas, nouns, offset, count, prompts, gallery, signal, onProgress: progressOf(report, signal) },
      ...{ judgeRun, gill, device, threads, lm, adapter, lmBits: lmBits && (lmBits === "4" ? 4 : 8) },
      model: (await findModel(options)).folder,
      judge: judge && (await findModel({ ...options, model: judge })).folder,
    });
    report.clear();
    report.wrote(output, text.length);
  });
}

/** Shows how far a measurement is. */
export function progressOf(report: Report, signal: AbortSignal | undefined): MeasuringOptions["onProgress"] {
  return (label, done, total) => {
    signal?.throwIfAborted();
    if (done === undefined) report.doing(label);
    else report.progress(label, done, total);
  };
}
