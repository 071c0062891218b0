/** `seedling train`: runs recipes, one after the other. */
import { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import type { ProblemKind } from "../data/index.ts";
import { BUNDLED_MODEL, SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import type { Device } from "../runtime/index.ts";
import {
  type LogLine,
  languageTexts,
  type RunRecipeOptions,
  type RunTuningOptions,
  runLmRecipe,
  runRecipe,
  runTuningRecipe,
  sceneData,
  sceneTalk,
  stageOf,
  TUNING_STAGES,
  userData,
  userTalk,
} from "../training/index.ts";
import { deviceOption } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { whole } from "./options.ts";

const builtIn: RunRecipeOptions["data"] = (data, size, pictures) => sceneData({ ...data, size, pictures });

/** What was left out of a user's pictures: each told once, however many recipes train on them, and counted. */
class Problems {
  readonly #told = new Set<string>();
  readonly #counts = new Map<ProblemKind, number>();

  add(message: string, kind: ProblemKind): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    process.stderr.write(`${message}\n`);
  }

  /** "left out of --data: 1 broken image, 2 missing caption". */
  sum(): void {
    const counts = [...this.#counts].map(([kind, count]) => `${count} ${kind}`);
    if (counts.length > 0) process.stderr.write(`left out of --data: ${counts.join(", ")}\n`);
  }
}

const fromUser =
  (sources: readonly string[], problems: Problems): RunRecipeOptions["data"] =>
  (_, size) =>
    userData({ sources, size, onProblem: (message, kind) => problems.add(message, kind) });

/** The command. `data` is what recipes train on. */
export function trainCommand(data = builtIn): Command {
  return new Command("train")
    .description("Run training recipes, e.g. recipes/mini/clip.json; later stages find earlier ones in the run folder")
    .argument("<recipe...>", "recipe files, in order")
    .option("--run <folder>", "folder for logs, checkpoints and weights", "runs/mini")
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
      "see, see-and-draw, instruct: what the first recipe goes on from, in place of the run it continues",
    )
    .option("--resume", "continue from the newest checkpoint, bit for bit", false)
    .option("--steps <n>", "fewer steps than the recipe says, to try it out", whole(1))
    .addOption(deviceOption())
    .option("--threads <n>", "threads of one operation, 0 for as many as cores", whole(0), 0)
    .option("--json", "one JSON object a line on standard output", false)
    .addHelpText(
      "after",
      "\nThe built-in data needs the icon sets once: npm run icons. Recipes of language models need WordNet too: npm run texts\n",
    )
    .action(
      async (
        recipes: string[],
        options: {
          run: string;
          data?: string[];
          model: string;
          base?: string;
          adapter?: string;
          resume: boolean;
          steps?: number;
          device: Device;
          threads: number;
          json: boolean;
        },
      ) => {
        const problems = new Problems();
        await interruptible(async (signal) => {
          signal.addEventListener("abort", () => {
            process.stderr.write("stopping after this step; a checkpoint is saved, go on with --resume\n");
          });
          for (const [i, recipe] of recipes.entries()) {
            const common = {
              recipe,
              root: options.run,
              resume: options.resume,
              device: options.device,
              signal,
              onLine: (line: LogLine) =>
                process.stdout.write(`${options.json ? JSON.stringify(line) : formatLine(line)}\n`),
              ...(options.steps ? { steps: options.steps } : {}),
              ...(options.threads ? { threads: options.threads } : {}),
            } as const;
            const stage = await stageOf(recipe);
            if (options.adapter && i === 0 && !isTuning(stage))
              throw new UsageError(`--adapter: expected a recipe of ${TUNING_STAGES.join(", ")} first, got ${stage}.`);
            const { finished } =
              stage === "lm-pretrain"
                ? await runLmRecipe({ ...common, texts: languageTexts })
                : isTuning(stage)
                  ? await runTuningRecipe({
                      ...common,
                      ...tuning(options),
                      ...(options.adapter && i === 0 ? { adapter: options.adapter } : {}),
                    })
                  : await runRecipe({ ...common, data: options.data ? fromUser(options.data, problems) : data });
            if (!finished) throw signal.reason;
          }
        }).finally(() => problems.sum());
      },
    );
}

function isTuning(stage: unknown): boolean {
  return TUNING_STAGES.some((one) => one === stage);
}

/** Where the base and the codes come from: the built-in scenes, or one folder of .jsonl files. */
function tuning({
  model,
  base,
  data,
  threads,
  json,
}: TuningOptions): Pick<RunTuningOptions, "base" | "talk" | "texts"> {
  return {
    ...(base === undefined ? {} : { base }),
    texts: () => languageTexts({ scenes: 0, nouns: 0, factsTimes: 0, wordNetShare: 1, listed: 0 }),
    async talk(recipe, root) {
      const tokenizer = await SeedTokenizer.fromPretrained(model, { threads });
      const progress = (done: number, of: number): void => {
        process.stdout.write(`${json ? JSON.stringify({ codes: done, of }) : `codes of ${done}/${of} pictures`}\n`);
      };
      try {
        if (data && data.length > 1) throw new UsageError(`--data: expected one folder of codes, got ${data.length}.`);
        return await (data ? userTalk(tokenizer, data[0]!) : sceneTalk(tokenizer, recipe, root, progress));
      } finally {
        await tokenizer.close();
      }
    },
  };
}

interface TuningOptions {
  readonly model: string;
  readonly base?: string;
  readonly data?: readonly string[];
  readonly threads: number;
  readonly json: boolean;
}

/** "step 200/1400  loss 2.31  ...  131/s  12m03s left". */
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

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes}m${String(Math.round(seconds % 60)).padStart(2, "0")}s` : `${Math.round(seconds)}s`;
}
