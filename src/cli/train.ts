/** `seedling train`: trains recipes, one after the other. */
import { basename, dirname } from "node:path";
import { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { BUNDLED_MODEL } from "../image-tokenizer/seed-tokenizer.ts";
import type { Device } from "../runtime/index.ts";
import {
  type Listener,
  type LogLine,
  type RunOptions,
  readRecipe,
  runStage,
  type StageRecipe,
  scaledRecipe,
  shortenedRecipe,
} from "../training/index.ts";
import { deviceOption, jsonOption, quietOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { real, whole } from "./options.ts";
import { duration } from "./progress.ts";
import { Report } from "./report.ts";
import { builtIn, Problems, trainingSources } from "./training-sources.ts";

interface TrainOptions {
  readonly run?: string;
  readonly data?: string[];
  readonly model: string;
  readonly base?: string;
  readonly adapter?: string;
  readonly resume: boolean;
  readonly steps?: number;
  readonly scale?: number;
  readonly device: Device;
  readonly threads: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** The command. `scenes` is what recipes train on without --data. */
export function trainCommand(scenes = builtIn): Command {
  const command = new Command("train")
    .description("Train recipes; later stages find earlier ones in the run folder")
    .argument("<recipe...>", "recipe files, in order")
    .option("--run <folder>", "folder for logs, checkpoints and weights (default: runs/ and the folder of the recipe)")
    .option(
      "--data <sources...>",
      "your own pictures instead of the built-in scenes: folders with captions, tars, globs; for see, see-and-draw and instruct a folder of .jsonl files with codes and captions",
    )
    .option("--model <folder>", "see, see-and-draw, instruct: whose codes are learned", BUNDLED_MODEL)
    .option(
      "--base <folder>",
      "see, see-and-draw, instruct: the language model, a folder or a GGUF file, also one of the Hub",
    )
    .option(
      "--adapter <folder>",
      "see, see-and-draw, instruct: what the first recipe begins with, in place of the stage it continues",
    )
    .option("--resume", "continue a run that was stopped, bit for bit", false)
    .option("--scale <share>", "a share of all steps, cached pictures and scenes, to try a recipe out", real)
    .option("--steps <n>", "so many steps in every phase, to try a recipe out", whole(1))
    .addOption(deviceOption())
    .option("--threads <n>", "threads of one operation, 0 for as many as cores", whole(0), 0)
    .addOption(jsonOption('{"step": 50, "loss": 2.31, ...}'))
    .addOption(quietOption());
  return withExamples(
    command,
    [
      ["seedling train recipes/mini/clip.json --scale 0.02", "try a recipe out"],
      ["seedling train recipes/mini/clip.json --resume", "continue after Ctrl-C"],
    ],
    "The built-in data needs the icon sets once: npm run icons. Recipes of language models need WordNet too: npm run texts",
  ).action(async (paths: string[], options: TrainOptions) => {
    const report = new Report(options);
    const problems = new Problems(report);
    const recipes: StageRecipe[] = [];
    for (const path of paths) recipes.push(tried(await readRecipe(path), options));
    const [first] = recipes;
    if (options.adapter !== undefined && !first?.definition.uses?.includes("language model"))
      throw new UsageError(
        `--adapter: expected a recipe that tunes a language model first, got ${first?.definition.name}.`,
      );
    await interruptible(async (signal) => {
      const common: RunOptions = {
        root: options.run ?? defaultRun(paths[0] ?? ""),
        sources: trainingSources(options, scenes, problems),
        device: options.device,
        threads: options.threads,
        resume: options.resume,
        signal,
        ...listener(report, options.json ?? false),
      };
      for (const [i, recipe] of recipes.entries()) {
        const { finished, skipped } = await runStage(recipe, {
          ...common,
          adapter: i === 0 ? options.adapter : undefined,
        });
        if (skipped) report.note(`${recipe.name} is finished already`);
        if (!finished) {
          report.note("continue with the same command and --resume");
          throw signal.reason;
        }
      }
    }, "stopping after this step; a checkpoint is saved; Ctrl-C again ends at once").finally(() => {
      report.clear();
      problems.sum();
    });
  });
}

/** The recipe as --scale and --steps shorten it. */
function tried(recipe: StageRecipe, { scale, steps }: TrainOptions): StageRecipe {
  if (scale !== undefined && !(scale > 0 && scale <= 1))
    throw new UsageError(`--scale: expected a share above 0 and at most 1, got ${scale}.`);
  const scaled = scaledRecipe(recipe, scale ?? 1);
  return steps === undefined ? scaled : shortenedRecipe(scaled, steps);
}

/** runs/mini for recipes/mini/clip.json, and for a variant of it. */
export function defaultRun(recipe: string): string {
  const folder = dirname(recipe);
  const own = basename(folder) === "variants" ? dirname(folder) : folder;
  return `runs/${own === "." ? "recipes" : basename(own)}`;
}

/** Log lines to standard output, progress and notes to standard error. */
function listener(report: Report, json: boolean): Required<Listener> & Pick<RunOptions, "onPhase"> {
  return {
    onLine(line) {
      report.clear();
      process.stdout.write(`${json ? JSON.stringify(line) : formatLine(line)}\n`);
    },
    onProgress(what, done, total, unit) {
      if (done === undefined) report.doing(what);
      else report.progress(what, done, total, unit);
    },
    onNote: (text) => report.note(text),
    onPhase({ name, about, phases }, phase) {
      const steps = `${phases[phase - 1]?.steps} steps`;
      const title = phases.length > 1 ? `${name}, phase ${phase} of ${phases.length}` : name;
      report.note(`${title}, ${steps}: ${phases[phase - 1]?.about ?? about}`);
    },
  };
}

/** "step 200/1400  loss 2.31  ...  131/s  12 min 3 s left". */
export function formatLine(line: LogLine): string {
  const { step, steps, leftSeconds, elapsedSeconds, examplesPerSecond, ...rest } = line;
  const numbers = Object.entries(rest).map(
    ([name, value]) => `${name} ${typeof value === "number" ? short(value) : value}`,
  );
  const head = step === undefined ? [] : [steps === undefined ? `step ${step}` : `step ${step}/${steps}`];
  const speed = examplesPerSecond === undefined ? [] : [`${Number(examplesPerSecond).toFixed(0)}/s`];
  const left = leftSeconds === undefined ? [] : [`${duration(Number(leftSeconds))} left`];
  return [...head, ...numbers, ...speed, ...left].join("  ");
}

function short(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}
