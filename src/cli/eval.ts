/** `seedling eval`: the scorecard of a model folder on the built-in test scenes. */
import { join, parse } from "node:path";
import { Argument, Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { type Atlas, openAtlas } from "../data/index.ts";
import { Judge } from "../evaluation/judge.ts";
import { languageCard } from "../evaluation/language-card.ts";
import { type CardProgress, SECTIONS, type Section, scorecard } from "../evaluation/scorecard.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { writeFileAtomic } from "../io/files.ts";
import { packageScript } from "../io/package-script-node.ts";
import { jsonOption, judgeRunOption, nounsOption, withExamples } from "./command.ts";
import { evalArmCommand } from "./eval-arm.ts";
import { evalPaperCommand } from "./eval-paper.ts";
import { interruptible } from "./interrupt.ts";
import { addLanguageOptions, type LanguageOptions, withLanguageModel } from "./language-options.ts";
import { addModelOptions, closing, findModel, type ModelOptions, withModel } from "./options.ts";
import { writeJson, writeStdout } from "./output.ts";
import { whole } from "./parsers.ts";
import { expectFilePlace } from "./places.ts";
import { Report } from "./report.ts";
import { formatScores } from "./score-table.ts";

/** Scenes of the held-out style that are decoded by default; decoding is what takes long. */
const STYLE_PICTURES = 200;

interface ScoreOptions {
  readonly count: number;
  readonly judgeRun?: string;
  readonly nouns: number;
  readonly offset: number;
  readonly output?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

interface TokenizerOptions extends ModelOptions, ScoreOptions {
  readonly pictures: number;
  readonly stylePictures?: number;
  readonly codesCount: number;
  readonly gallery: number;
  readonly candidates: number;
  readonly pairs: number;
  readonly sheet?: string;
  readonly judge?: string;
  readonly language?: boolean;
}

interface CardOptions extends LanguageOptions, ScoreOptions {
  readonly drawings: number;
  readonly trainingScenes: number;
  readonly spans: number;
}

/** The command. `drawings` is what scenes are made of. */
export function evalCommand(drawings: () => Promise<Atlas> = openAtlas): Command {
  const command = new Command("eval")
    .description("score a model on scenes of unseen seeds, in styles and pairs held out from training")
    .addCommand(tokenizerCommand(drawings), { isDefault: true })
    .addCommand(languageCommand(drawings))
    .addCommand(evalPaperCommand())
    .addCommand(evalArmCommand(drawings));
  return withExamples(
    command,
    [
      ["seedling eval", "the image tokenizer of seedling-mini"],
      ["seedling eval tokenizer retrieval naming", "some sections only"],
      ["seedling eval language -o scores.json", "captions, questions, drawings"],
      ["seedling eval paper --coco coco -o card.json", "the papers' protocols on real data sets"],
    ],
    `The scenes are made of icon sets, which are installed once: ${packageScript("icons")}`,
  );
}

function tokenizerCommand(drawings: () => Promise<Atlas>): Command {
  const command = new Command("tokenizer")
    .description(
      "score the image tokenizer: retrieval, naming, robustness, codebook, what decoded pictures show, speed",
    )
    .addArgument(new Argument("[section...]", "what to score (default: all)").choices(SECTIONS))
    .option("--count <n>", "scenes for retrieval and robustness", whole(10), 1000)
    .option("--candidates <n>", "also measure retrieval among n test scenes (default: none)", whole(0), 0)
    .option("--pairs <n>", "minimal pairs of each kind", whole(1), 500)
    .option("--pictures <n>", "scenes that are decoded, each several times: reconstruction, judged", whole(2), 200)
    .option("--style-pictures <n>", "the same in the held-out style (default: as --pictures, at most 200)", whole(2))
    .option("--codes-count <n>", "scenes for codebook usage", whole(10), 10_000)
    .option("--gallery <n>", "training pictures that the pixel baselines search", whole(1), 5000)
    .addOption(nounsOption())
    .option("--judge <folder>", "the model whose CLIP pair compares pictures (default: the model itself)")
    .option("--sheet <file>", "also write the first 24 scenes and what is decoded from them as a PNG, to look at")
    .addOption(new Option("--language").hideHelp());
  return withExamples(addModelOptions(addScoreOptions(command)), [
    ["seedling eval tokenizer --model models/mine"],
    ["seedling eval tokenizer retrieval --count 200 --json", "one section, for a program"],
    ["seedling eval tokenizer judged --judge-run runs/judge/judge --offset 100000", "what decoded pictures still show"],
    ["seedling eval tokenizer reconstruction --judge models/seedling-mini --model models/mine"],
  ]).action((sections: Section[], options: TokenizerOptions) => scoreTokenizer(sections, options, drawings));
}

function languageCommand(drawings: () => Promise<Atlas>): Command {
  const command = new Command("language")
    .description("score the language model: captions, questions, drawings, and perplexity on plain text")
    .option("--count <n>", "scenes that are described and asked about, of each split", whole(10), 1000)
    .option("--drawings <n>", "prompts that are drawn", whole(2), 100)
    .option(
      "--training-scenes <n>",
      "training scenes whose likeliest answers and nearest captions are baselines without a language model",
      whole(1),
      40_000,
    )
    .option("--spans <n>", "prompts that are drawn without any rule, to count well-formed pictures", whole(1), 1000)
    .addOption(nounsOption());
  return withExamples(addLanguageOptions(addScoreOptions(command)), [
    ["seedling eval language --count 200"],
    ["seedling eval language --adapter models/seedling-smollm2 -o scores.json", "SmolLM2 with an adapter"],
  ]).action((options: CardOptions) => scoreLanguage(options, drawings));
}

function addScoreOptions(command: Command): Command {
  return command
    .option(
      "--offset <seed>",
      "first seed of the scenes: publish scores on seeds that no decision was based on",
      whole(0),
      0,
    )
    .addOption(judgeRunOption())
    .option("-o, --output <file>", "also write the scores as JSON, whole or not at all")
    .addOption(jsonOption("all scores, in place of tables"));
}

async function scoreTokenizer(
  sections: readonly Section[],
  options: TokenizerOptions,
  drawings: () => Promise<Atlas>,
): Promise<void> {
  if (options.language) throw new UsageError("--language: expected a command of eval. Use: seedling eval language");
  if (options.output !== undefined) await expectFilePlace(options.output);
  const { offset, count, candidates, pairs, pictures, codesCount, gallery, nouns, sheet } = options;
  if (sheet !== undefined) await expectFilePlace(sheet);
  const report = new Report(options);
  await interruptible(async (signal) => {
    const { folder, load } = await findModel(options);
    const onProgress = progressTo(report, signal);
    const common = {
      atlas: await openedAtlas(drawings, report),
      nouns,
      offset,
      count,
      candidates,
      pairs,
      pictures,
      stylePictures: options.stylePictures ?? Math.min(pictures, STYLE_PICTURES),
      codesCount,
      gallery,
      fresh: { folder, load },
      onProgress,
      onSheet: sheet === undefined ? undefined : sheetWriter(sheet, report),
    };
    const wanted = sections.length > 0 ? sections : SECTIONS;
    if (wanted.includes("judged") && options.judgeRun === undefined)
      report.note(
        "judged is left out: it needs a judge of pictures. Train one (recipes/judge/judge.json) and name it: --judge-run",
      );
    const score = (judge?: SeedTokenizer): Promise<void> =>
      withPictureJudge(options, (pictureJudge) =>
        withModel({ ...options, model: folder }, "decode", async (tokenizer) =>
          writeScores(await scorecard(tokenizer, wanted, { ...common, judge, pictureJudge }), options, report),
        ),
      );
    await (options.judge === undefined ? score() : withModel({ ...options, model: options.judge }, "clipImage", score));
  });
}

async function scoreLanguage(options: CardOptions, drawings: () => Promise<Atlas>): Promise<void> {
  if (options.output !== undefined) await expectFilePlace(options.output);
  const { offset, count, nouns, spans, trainingScenes } = options;
  const report = new Report(options);
  await interruptible(async (signal) => {
    const atlas = await openedAtlas(drawings, report);
    const score = (pictureJudge?: Judge): Promise<void> =>
      withLanguageModel(options, async (model) => {
        const scores = await languageCard(model, {
          ...{ atlas, offset, count, nouns, spans, trainingScenes, pictureJudge },
          drawings: options.drawings,
          onProgress: progressTo(report, signal),
          onResult: (line) => report.note(line),
        });
        await writeScores(scores, options, report);
      });
    await withPictureJudge(options, score);
  });
}

/** Opens the judge of pictures, if one is named, and closes it whatever happens. */
async function withPictureJudge<T>(
  { judgeRun, threads }: ScoreOptions & Pick<ModelOptions, "threads">,
  use: (judge?: Judge) => Promise<T>,
): Promise<T> {
  return judgeRun === undefined ? use() : closing(await Judge.open(judgeRun, { threads }), use);
}

/** Writes the sheet, and those of one kind next to it: eyes.png, eyes-decoded.png, eyes-drafts.png. */
function sheetWriter(path: string, report: Report): (part: string, png: Uint8Array) => Promise<void> {
  return async (part, png) => {
    const { dir, name, ext } = parse(path);
    const file = part === "whole" ? path : join(dir, `${name}-${part}${ext}`);
    await writeFileAtomic(file, png);
    report.wrote(file, png.length);
  };
}

async function openedAtlas(drawings: () => Promise<Atlas>, report: Report): Promise<Atlas> {
  report.doing("opening the drawings that scenes are made of");
  const atlas = await drawings();
  report.clear();
  return atlas;
}

/** Shows how far a card is; Ctrl-C ends it there. */
function progressTo(report: Report, signal: AbortSignal): CardProgress {
  return (label, done, total) => {
    signal.throwIfAborted();
    if (done === undefined) report.doing(label);
    else report.progress(label, done, total);
  };
}

async function writeScores(
  scores: Record<string, unknown>,
  { output, json }: ScoreOptions,
  report: Report,
): Promise<void> {
  report.clear();
  const text = `${JSON.stringify(scores, null, 2)}\n`;
  if (output !== undefined) await writeFileAtomic(output, text);
  if (json) await writeJson(scores);
  else await writeStdout(`${formatScores(scores).join("\n")}\n`);
  if (output !== undefined) report.wrote(output, text.length);
}
