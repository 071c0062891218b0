/** `seedling train`: trains a chain from nothing to a model folder, or single recipes. */
import { basename, dirname, join } from "node:path";
import { Command } from "commander";
import { SeedlingError, UsageError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import type { Communicator } from "../distributed/communicator.ts";
import { BUNDLED_MODEL } from "../image-tokenizer/seed-tokenizer.ts";
import { exists, writeFileAtomic } from "../io/files.ts";
import { packageScript } from "../io/package-script-node.ts";
import { reportPage } from "../report/page.ts";
import { readRun } from "../report/read-run.ts";
import type { Device } from "../runtime/index.ts";
import {
  type Chain,
  comparisonText,
  findRecipe,
  type Listener,
  type LogLine,
  type RunOptions,
  readChain,
  readRecipe,
  runChain,
  runStage,
  type StageRecipe,
  scaledRecipe,
  shortenedRecipe,
  TWINS,
  triedChain,
} from "../training/index.ts";
import { chainEvaluation } from "./chain-evaluation.ts";
import { deviceOption, jsonOption, judgeRunOption, quietOption, threadsOption, withExamples } from "./command.ts";
import { Interrupted, interruptible } from "./interrupt.ts";
import { planOwn } from "./own-plan.ts";
import { positive, whole } from "./parsers.ts";
import { duration } from "./progress.ts";
import { asRank, type Rank } from "./ranks.ts";
import { plural, type Report } from "./report.ts";
import { trainTwins } from "./train-twins.ts";
import { type Drawings, ownData, Problems, trainingSources } from "./training-sources.ts";

interface TrainOptions {
  readonly run?: string;
  readonly source?: string;
  readonly twins?: string[];
  readonly judgeRun?: string;
  readonly data?: string[];
  readonly hours?: number;
  readonly until?: string;
  readonly from?: string;
  readonly model?: string;
  readonly base?: string;
  readonly adapter?: string;
  readonly resume?: boolean;
  readonly steps?: number;
  readonly scale?: number;
  readonly device: Device;
  readonly threads: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** The frozen language model for own pictures: that of seedling-mini. */
const BUNDLED_LM = join(BUNDLED_MODEL, "lm");
const STOPPING = "stopping after this step, then saving; Ctrl-C again ends at once without saving";
const RANKS_STOPPING = "stopping after this step, if no rank has died; the last checkpoint is kept";

/** The command. `drawings` is what built-in scenes are made of. */
export function trainCommand(drawings?: Drawings): Command {
  const command = new Command("train")
    .description("train a chain from nothing to an evaluated model folder, or single recipes")
    .argument("<recipe...>", "the folder of a chain, such as recipes/mini; or recipe files, in order")
    .option("--run <folder>", "folder for all results (default: runs/ and the name of the chain)")
    .option(
      "--data <sources...>",
      "your own pictures instead of the built-in scenes: folders with captions, tars, globs; for see, see-and-draw and instruct a folder of .jsonl files with codes and captions",
    )
    .option("--hours <n>", "recipes/own: how long it may take (default: 2)", positive())
    .option("--until <stage>", "chain: end after this stage")
    .option("--from <stage>", "chain: begin with this stage and use earlier ones as they are")
    .option("--source <run>", "recipes/paper: the run folder with the frozen stages of all arms (default: runs/mini)")
    .option("--twins <arms...>", "recipes/paper: these arms, and those that they build on (default: all)")
    .addOption(judgeRunOption())
    .option("--scale <share>", "a share of all steps, cached pictures and scenes, to try it out", positive({ most: 1 }))
    .option("--steps <n>", "steps in every phase, to try it out", whole(1))
    .option("--resume", "recipe files: continue a run that was stopped, bit for bit (a chain always does)")
    .option("--model <folder>", "see, see-and-draw, instruct: whose codes are learned (default: the chain's own)")
    .option(
      "--base <path>",
      "see, see-and-draw, instruct: the language model, a folder or a GGUF file, also one of the Hub (default: the chain's own)",
    )
    .option(
      "--adapter <folder>",
      "see, see-and-draw, instruct: what the first recipe begins with, in place of the stage it continues",
    )
    .addOption(deviceOption())
    .addOption(threadsOption())
    .addOption(jsonOption('{"step": 50, "loss": 2.31, ...}'))
    .addOption(quietOption());
  return withExamples(
    command,
    [
      ["seedling train recipes/mini", "everything; run it again to continue after Ctrl-C"],
      ["seedling train recipes/mini --scale 0.02 --run runs/try", "a try-out"],
      ["seedling train recipes/mini --until codebook", "the first stages"],
      ["seedling train recipes/mini/clip.json --resume", "one stage"],
      ["seedling train recipes/own --data photos/ --hours 2", "your own captioned pictures, 50 or more"],
      [
        "seedling train recipes/paper --run runs/paper",
        "the papers' tables: trains and measures the arms that are missing",
      ],
      ["mpirun -n 4 seedling train recipes/mini", "on 4 processes, each with a quarter of every batch"],
    ],
    `The built-in data needs the icon sets once: ${packageScript("icons")}. Language models need WordNet too: ${packageScript("texts")}`,
  ).action((paths: string[], options: TrainOptions) => asRank((rank) => train(paths, options, rank, drawings)));
}

async function train(
  paths: readonly string[],
  options: TrainOptions,
  { ranks, threads, ...rank }: Rank,
  drawings: Drawings | undefined,
): Promise<void> {
  const report = rank.report(options);
  const problems = new Problems(report);
  const [first = ""] = paths;
  const found = await findRecipe(first);
  const isTwins = await exists(join(found, TWINS));
  if (isTwins && ranks.size > 1)
    throw new UsageError(
      `${first}: expected one process, which trains one arm after another, got ${ranks.size} ranks.`,
    );
  const isChain = isTwins || (await exists(join(found, "chain.json")));
  await interruptible(
    async (signal) => {
      const own = options.data && ownData(options.data, problems);
      const common: RunOptions = {
        root: options.run ?? defaultRun(first, isChain),
        sources: trainingSources(options, own, drawings),
        device: options.device,
        threads: options.threads || threads,
        ranks,
        signal,
        ...(ranks.rank === 0 && listener(report, options.json ?? false)),
      };
      const { source, twins, judgeRun } = options;
      if (!isTwins && (source ?? twins ?? judgeRun) !== undefined)
        throw new UsageError("--source, --twins, --judge-run: expected recipes/paper with them, got other recipes.");
      if (isTwins) await trainTwins(paths, { ...options, drawings }, common, report);
      else if (isChain) {
        const read = await readChain(first);
        const chain = read.plan ? await planOwn(read, own, options, report) : read;
        if (options.hours !== undefined && !read.plan)
          throw new UsageError("--hours: expected recipes/own, got a chain whose steps are fixed.");
        const base = options.base ?? (read.plan ? BUNDLED_LM : undefined);
        const sources = base === undefined ? common.sources : { ...common.sources, base };
        await trainChain(chain, paths, { ...options, drawings }, { ...common, sources }, report);
      } else await trainRecipes(paths, options, common, report);
    },
    ...stopping(ranks),
  ).finally(() => {
    report.clear();
    problems.sum();
  });
}

/** A launcher whose rank has died gives the others a second. */
function stopping({ rank, size }: Communicator): [text: string, patience?: number] {
  return size === 1 ? [STOPPING] : [rank === 0 ? RANKS_STOPPING : "", 0];
}

async function trainChain(
  chain: Chain,
  paths: readonly string[],
  options: TrainOptions & { readonly drawings: Drawings | undefined },
  common: RunOptions,
  report: Report,
): Promise<void> {
  if (paths.length > 1)
    throw new UsageError(`train: expected one chain, got ${paths.length} paths. Train one at a time.`);
  if (options.adapter !== undefined) throw new UsageError("--adapter: expected recipe files with it, got a chain.");
  const { until, from, scale, steps } = options;
  const tried = chain.plan ? chain : triedChain(chain, { scale, steps }); // planOwn has shortened a planned one
  const result = await runChain(tried, {
    ...common,
    ...{ until, from },
    evaluate: chainEvaluation(options, chain.assemble !== undefined),
    onSkip: ({ name }) => report.note(`${name} is finished`),
    onStage: async () => {
      if (!common.ranks?.rank) await writeReport(common.root, report);
    },
  });
  if (!result.finished) {
    report.note("run the same command again to continue");
    throw common.signal?.reason ?? new Interrupted(143); // another rank got the signal
  }
  if (result.folder === undefined) return; // not finished, or not the first rank
  await writeReport(common.root, report);
  report.wrote(result.folder);
  for (const one of result.comparisons) if (one.reached) report.note(`reached ${comparisonText(one)}`);
  const missed = result.comparisons.filter(({ reached }) => !reached);
  if (missed.length > 0) throw new SeedlingError(`${result.folder}: missed ${missed.map(comparisonText).join("; ")}.`);
}

/** The curves and samples so far. A report that cannot be written does not end the training. */
async function writeReport(root: string, report: Report): Promise<void> {
  try {
    await writeFileAtomic(join(root, "report.html"), await reportPage(await readRun(root)));
  } catch (error) {
    report.warn(`report.html: ${reason(error)}`);
  }
}

async function trainRecipes(
  paths: readonly string[],
  options: TrainOptions,
  common: RunOptions,
  report: Report,
): Promise<void> {
  const { adapter, resume, scale = 1, steps, until, from } = options;
  if (until !== undefined || from !== undefined)
    throw new UsageError(
      `--${until === undefined ? "from" : "until"}: expected the folder of a chain, got recipe files.`,
    );
  const recipes: StageRecipe[] = [];
  for (const path of paths) {
    const recipe = scaledRecipe(await readRecipe(path), scale);
    recipes.push(steps === undefined ? recipe : shortenedRecipe(recipe, steps));
  }
  const [first] = recipes;
  if (adapter !== undefined && !first?.definition.uses?.includes("language model"))
    throw new UsageError(
      `--adapter: expected a recipe that tunes a language model first, got ${first?.definition.name}.`,
    );
  for (const { definition, name, where } of recipes) {
    const learnsCodes = definition.uses?.includes("image tokenizer");
    if (!learnsCodes || options.model !== undefined || !(await exists(join(common.root, "codebook")))) continue;
    // The chain makes the model folder and the quantized base first; the shipped model's codes are not those of this run.
    throw new UsageError(
      `${where}: expected the chain of ${common.root}, which has a codebook of its own, got one recipe. Train the chain with --from ${name} --until ${name}, or name the model whose codes are learned with --model.`,
    );
  }
  for (const [i, recipe] of recipes.entries()) {
    const own = { ...common, resume, adapter: i === 0 ? adapter : undefined };
    const { finished, skipped } = await runStage(recipe, own);
    if (skipped) report.note(`${recipe.name} is finished`);
    if (finished) continue;
    report.note("run the same command with --resume to continue");
    throw common.signal?.reason ?? new Interrupted(143); // another rank got the signal
  }
}

/** runs/mini for the chain recipes/mini, for recipes/mini/clip.json, and for a variant of it. */
export function defaultRun(path: string, isChain: boolean): string {
  const folder = isChain ? path : dirname(path);
  const own = basename(folder) === "variants" ? dirname(folder) : folder;
  const name = basename(own);
  return `runs/${name === "." || name === "" || name === ".." ? "own" : name}`;
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
      const { steps, about: own } = phases[phase - 1] ?? {};
      const title = phases.length > 1 ? `${name}, phase ${phase} of ${phases.length}` : name;
      report.note(`${title}, ${plural(steps ?? 0, "step")}: ${own ?? about}`);
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
