/** `seedling eval arm`: a model as one arm of the papers' tables, on the built-in scenes, as the JSON that `paper` reads. */
import { Argument, Command, Option } from "commander";
import type { Atlas } from "../data/index.ts";
import { sceneArm } from "../evaluation/paper/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { writeFileAtomic } from "../io/files.ts";
import type { SeedLanguageModel } from "../language/index.ts";
import { nounsOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { addLanguageOptions, type LanguageOptions, withLanguageModel } from "./language-options.ts";
import { withModel } from "./options.ts";
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
}

const TABLES = ["retrieval", "generation", "understanding", "causality"] as const;

export function evalArmCommand(drawings: () => Promise<Atlas>): Command {
  const command = new Command("arm")
    .description("measure a model as one arm of the papers' tables, with all that paired comparisons need")
    .addArgument(new Argument("<table>", "which table").choices(TABLES))
    .argument("<arm>", "which arm: docs/paper/README.md says where they are listed")
    .requiredOption("-o, --output <file>", "the JSON of the arm, for seedling paper")
    .addOption(new Option("--losses <kind>", "what it was trained with").choices(["published", "ours"]).default("ours"))
    .option("--run <n>", "the seed that it was trained with", whole(0), 1)
    .requiredOption("--made <command>", "the command that trained it, to stand in the table")
    .option("--commit <hash>", "the version of this project that trained it")
    .option("--machine <text>", "where")
    .option("--count <n>", "scenes of each set; retrieval also has a set of five times as many", whole(10), 1000)
    .option("--spans <n>", "prompts that are drawn without any rule, to count well-formed pictures", whole(1), 5000)
    .option("--gallery <n>", "training pictures that the pixel baselines search", whole(1), 5000)
    .addOption(nounsOption())
    .option("--offset <seed>", "first seed of the scenes: publish scores of seeds that no choice has seen", whole(0), 0)
    .option("--judge <folder>", "the model whose CLIP pair compares pictures (default: the model itself)");
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
  const {
    output,
    losses,
    run,
    made,
    commit = "",
    machine = "",
    count,
    spans: prompts,
    gallery,
    nouns,
    offset,
  } = options;
  await expectFilePlace(output);
  const report = new Report(options);
  await interruptible(async (signal) => {
    report.doing("opening the drawings that scenes are made of");
    const atlas = await drawings();
    report.clear();
    const onProgress = (label: string, done?: number, total?: number): void => {
      signal.throwIfAborted();
      if (done === undefined) report.doing(label);
      else report.progress(label, done, total);
    };
    const measure = async (parts: {
      tokenizer: SeedTokenizer;
      speaker?: SeedLanguageModel;
      judge?: SeedTokenizer;
    }): Promise<void> => {
      const results = await sceneArm(table, arm, {
        atlas,
        nouns,
        offset,
        count,
        prompts,
        gallery,
        signal,
        onProgress,
        ...parts,
      });
      report.clear();
      const own = `seedling eval arm ${table} ${arm} --count ${count} --offset ${offset} --nouns ${nouns}`;
      const json = {
        format: "seedling-arm-1",
        table,
        arm,
        losses,
        seed: run,
        command: `${made} && ${own}`,
        commit,
        machine,
        results,
      };
      const text = `${JSON.stringify(json)}\n`;
      await writeFileAtomic(output, text);
      report.wrote(output, text.length);
    };
    const spoken = table === "causality" || (table === "understanding" && !["habit", "nearest-caption"].includes(arm));
    const judged = (judge?: SeedTokenizer): Promise<void> =>
      spoken
        ? withLanguageModel(options, (speaker) => measure({ tokenizer: speaker.tokenizer, speaker, judge }))
        : withModel(options, "encode", (tokenizer) => measure({ tokenizer, judge }));
    await (options.judge === undefined
      ? judged()
      : withModel({ ...options, model: options.judge }, "clipImage", judged));
  });
}
