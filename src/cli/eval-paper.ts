/** `seedling eval paper`: the papers' own protocols on the real data sets, for owners of weights and data. */
import { basename } from "node:path";
import { Command, Option } from "commander";
import { InputError, UsageError } from "../base/errors.ts";
import { openScoring } from "../evaluation/protocol/caption-metrics.ts";
import {
  type DataFolders,
  type PaperCard,
  paperCard,
  SECTIONS,
  type SectionName,
} from "../evaluation/protocol/card.ts";
import { openPaperModel } from "../evaluation/protocol/open-paper-model.ts";
import type { Section } from "../evaluation/protocol/section.ts";
import { DEFAULTS, PROMPTS, type Prompts } from "../evaluation/protocol/settings.ts";
import { WorkLog } from "../evaluation/protocol/work-log.ts";
import type { ResizeFilter } from "../image/index.ts";
import { exists, writeFileAtomic } from "../io/files.ts";
import { packageScript } from "../io/package-script-node.ts";
import { guidanceOption, jsonOption, stepsOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { addLanguageOptions, type LanguageOptions } from "./language-options.ts";
import { downloaded, findModel, opening } from "./options.ts";
import { writeJson, writeStdout } from "./output.ts";
import { whole } from "./parsers.ts";
import { expectFilePlace } from "./places.ts";
import { Report } from "./report.ts";
import { formatTable } from "./table.ts";

interface Options extends LanguageOptions {
  readonly coco?: string;
  readonly flickr?: string;
  readonly nocaps?: string;
  readonly vqa?: string;
  readonly gqa?: string;
  readonly output: string;
  readonly only?: SectionName[];
  readonly filter: ResizeFilter;
  readonly prompts: Prompts;
  readonly captionBeams: number;
  readonly answerBeams: number;
  readonly clip?: string;
  readonly diffusion?: string;
  readonly steps?: number;
  readonly guidance?: number;
  readonly spice?: string;
  readonly limit?: number;
  readonly batch: number;
  readonly json?: boolean;
}

export function evalPaperCommand(): Command {
  const command = new Command("paper")
    .description("the papers' protocols on COCO, Flickr30K, NoCaps, VQAv2 and GQA, next to the papers' figures")
    .option("--coco <folder>", "dataset_coco.json or coco_karpathy_test.json, and val2014 pictures")
    .option("--flickr <folder>", "dataset_flickr30k.json or flickr30k_test.json, and pictures")
    .option("--nocaps <folder>", "nocaps_val_4500_captions.json and pictures")
    .option("--vqa <folder>", "validation questions and annotations of VQAv2; pictures here or in --coco")
    .option("--gqa <folder>", "testdev_balanced_questions.json and pictures")
    .requiredOption("-o, --output <file>", "the card; work that is done is kept next to it, so that a run can continue")
    .addOption(new Option("--only <section...>", "some sections (default: all that the sets allow)").choices(SECTIONS))
    .addOption(
      new Option("--filter <name>", "how pictures are resized; SEED-LLaMA was trained on bilinear ones")
        .choices(["bicubic", "bilinear"])
        .default(DEFAULTS.filter),
    )
    .addOption(
      new Option(
        "--prompts <kind>",
        'paper: "A photo of" after the picture; chat: the same in the chat template; own: as the adapter was trained',
      )
        .choices(PROMPTS)
        .default(DEFAULTS.prompts),
    )
    .option("--caption-beams <n>", "beams of captions", whole(1, 64), DEFAULTS.beams)
    .option(
      "--answer-beams <n>",
      "beams of answers; 1 takes the likeliest word each time",
      whole(1, 64),
      DEFAULTS.answerBeams,
    )
    .option("--clip <folder>", "a model that compares pictures: CLIP ViT-L/14 (seedling import), for CLIP similarity")
    .option(
      "--diffusion <model>",
      "the image decoder in place of the model's own: a folder in diffusers' layout, or owner/name on the Hub",
    )
    .addOption(stepsOption())
    .addOption(guidanceOption())
    .option("--spice <jar>", "spice-1.0.jar, for SPICE; needs Java")
    .option("--limit <n>", "only the first n pictures or questions of each set, to try it", whole(1))
    .option("--batch <n>", "pictures and texts computed at a time", whole(1, 1024), 16)
    .addOption(jsonOption("the card, in place of tables"));
  return withExamples(
    addLanguageOptions(command),
    [
      ["seedling eval paper --model seed-2 --coco coco --flickr flickr30k -o card.json", "retrieval"],
      ["seedling eval paper --model seed-2 --clip clip-l --diffusion sd-2-1-unclip --coco coco -o card.json"],
      ["seedling eval paper --coco coco --vqa vqa --prompts own --limit 100 -o try.json", "seedling-mini, to try it"],
    ],
    `METEOR needs WordNet, which is installed once: ${packageScript("texts")}. See docs/eval-paper.md.`,
  ).action(evalPaper);
}

async function evalPaper(options: Options): Promise<void> {
  const { coco, flickr, nocaps, vqa, gqa, output, only = SECTIONS, batch, limit } = options;
  const folders: DataFolders = { coco, flickr, nocaps, vqa, gqa };
  if (Object.values(folders).every((folder) => folder === undefined))
    throw new UsageError(
      "eval paper: expected a data set, got none. Name one: --coco, --flickr, --nocaps, --vqa, --gqa.",
    );
  await expectFilePlace(output);
  const { spice } = options;
  if (spice !== undefined && !(await exists(spice)))
    throw new InputError(`${spice}: expected spice-1.0.jar, found nothing. Get SPICE-1.0.zip from its authors.`);
  const report = new Report(options);
  await interruptible(async (signal) => {
    const { folder, load } = await findModel(options);
    const { filter, prompts, captionBeams: beams, answerBeams, steps, lm, adapter, lmBits } = options;
    const settings = { filter, prompts, beams, answerBeams };
    const decoding = {
      decoder: options.diffusion && basename(options.diffusion),
      steps,
      guidance: options.guidance,
      seed: "hash of the picture's name",
    };
    const log = await WorkLog.open(`${output}.work.jsonl`);
    try {
      if (log.size > 0) report.note(`continuing: ${log.size} results are in ${log.path}`);
      if (log.damaged > 0)
        report.warn(`${log.path}: ${log.damaged} lines were cut off or damaged; they are computed again.`);
      const bits = lmBits && (lmBits === "4" ? 4 : 8);
      const opened = await opening(
        options,
        openPaperModel(folder, {
          ...load,
          ...{ settings, lm, adapter, lmBits: bits, judge: options.clip, decoder: options.diffusion },
          ...{ steps, guidanceScale: options.guidance, onDownload: downloaded(report) },
        }),
        report,
      );
      try {
        const card = await paperCard(opened, {
          folders,
          sections: only,
          settings,
          scoring: await openScoring({ spiceJar: spice, signal }),
          work: { log, batch, signal, onProgress: (label, done, total) => report.progress(label, done, total) },
          limit,
          decoding,
          onProblem: (kind, name) => report.warn(`${kind}: ${name}`),
          onSection: (name) => report.note(`${name}: done`),
        });
        await tell(card, options, report);
      } finally {
        await opened.close();
      }
    } finally {
      await log.close();
    }
  });
}

async function tell(card: PaperCard, { output, json }: Options, report: Report): Promise<void> {
  report.clear();
  const text = `${JSON.stringify(card, null, 2)}\n`;
  await writeFileAtomic(output, text);
  if (json) await writeJson(card);
  else await writeStdout(`${formatCard(card).join("\n")}\n`);
  report.wrote(output, text.length);
  for (const [name, set] of Object.entries(card.sets)) {
    for (const [kind, { count }] of Object.entries(set.problems))
      report.problem(new InputError(`${name}: ${kind}: ${count}. The first are named above and in the card.`));
    if (!set.complete)
      report.warn(`${name}: ${set.found} of ${set.expected} were scored: not comparable with the papers' figures.`);
  }
  report.finish(1);
}

/** Tables for people: own figure with its interval, next to the papers'. */
export function formatCard({ results }: Pick<PaperCard, "results">): string[] {
  return Object.entries(results).flatMap(([name, section]) => [
    "",
    `${name}, ${section.count} scored`,
    ...sectionLines(section),
  ]);
}

function sectionLines({ rows, notRun = {} }: Section): string[] {
  const lines = Object.entries(rows).flatMap(([row, metrics]) =>
    Object.entries(metrics).map(([metric, { own, papers = {} }]) => {
      const published = Object.entries(papers).map(([paper, value]) => `${value} ${paper}`);
      const spread = `${own.low.toFixed(1)} to ${own.high.toFixed(1)}`;
      return [row, metric, own.mean.toFixed(1), spread, published.join("; ")];
    }),
  );
  const table = lines.length > 0 ? formatTable([["", "", "own", "95 %", "papers"], ...lines], "  ") : [];
  return [...table, ...Object.entries(notRun).map(([what, why]) => `  ${what}: not run (${why})`)];
}
