/** `seedling train recipes/paper`: the arms of the papers' tables, trained and measured, and the tables of them. */
import { join } from "node:path";
import { UsageError } from "../base/errors.ts";
import { BUNDLED_MODEL } from "../image-tokenizer/seed-tokenizer.ts";
import { exists } from "../io/files.ts";
import { fileSha256 } from "../io/hash.ts";
import type { Device } from "../runtime/index.ts";
import {
  commit,
  type Drawings,
  iconDrawings,
  machine,
  RESULTS,
  type RunOptions,
  readTwins,
  runTwins,
  triedTwins,
} from "../training/index.ts";
import { progressOf } from "./eval-arm.ts";
import { measureArm } from "./measure-arm.ts";
import { writePaper } from "./paper.ts";
import { plural, type Report } from "./report.ts";

export interface TwinsTrainOptions {
  readonly source?: string;
  readonly twins?: string[];
  readonly judgeRun?: string;
  readonly until?: string;
  readonly from?: string;
  readonly data?: string[];
  readonly adapter?: string;
  readonly model?: string;
  readonly steps?: number;
  readonly scale?: number;
  readonly device: Device;
  readonly threads: number;
  readonly drawings: Drawings | undefined;
}

/** Where `seedling train recipes/judge/judge.json` leaves the judge of pictures. */
const JUDGE_RUN = "runs/judge/judge";

export async function trainTwins(
  paths: readonly string[],
  options: TwinsTrainOptions,
  common: RunOptions,
  report: Report,
): Promise<void> {
  const { source, twins: only, scale, steps, device, threads, drawings = iconDrawings } = options;
  expectFitting(paths, options);
  const [folder = ""] = paths;
  const twins = triedTwins(await readTwins(folder), { scale, steps });
  const judgeRun = options.judgeRun ?? ((await exists(join(JUDGE_RUN, "judge.json"))) ? JUDGE_RUN : undefined);
  if (judgeRun === undefined)
    report.warn(
      `${JUDGE_RUN}: no judge of pictures was found, so that the CLIP pair of the shipped model compares them. Train one: seedling train recipes/judge/judge.json`,
    );
  const { root, signal } = common;
  const judgeFile = judgeRun === undefined ? BUNDLED_MODEL : judgeRun;
  const weights = join(judgeFile, judgeRun === undefined ? "model.safetensors" : "weights.safetensors");
  const [version, { cpu, cores }] = [await commit(), machine()];
  const finished = await runTwins(twins, {
    ...{ ...common, source, only },
    measuredBy: await fileSha256(weights),
    onRun: ({ arm, seed }) => report.note(`${arm.name}, seed ${seed}: ${arm.about}`),
    async measure({ table, arm, losses, seed, model, root: run, settings, budget, output }) {
      const { nouns, offset, scenes, pictures, prompts, gallery } = settings;
      const count = table === "retrieval" || table === "ablations" ? scenes : pictures;
      const command = `seedling train ${folder}${scale === undefined ? "" : ` --scale ${scale}`}${steps === undefined ? "" : ` --steps ${steps}`} --run ${root}`;
      const about = { table, arm, losses, seed, command, budget, commit: version, machine: `${cores} cores, ${cpu}` };
      const gill = join(run, "gill");
      const text = await measureArm(about, output, {
        ...{ atlas: await drawings({}), nouns, offset, count, prompts, gallery, decoded: pictures },
        ...{ model, device, threads, signal, onProgress: progressOf(report, signal), judgeRun },
        judge: judgeRun === undefined ? BUNDLED_MODEL : undefined,
        gill: (await exists(gill)) ? gill : undefined,
      });
      report.clear();
      report.wrote(output, text.length);
    },
  });
  if (!finished) {
    report.note("run the same command again to continue");
    throw common.signal?.reason;
  }
  const results = join(root, RESULTS);
  await writePaper({ arms: results, output: join(root, "paper.md") }, report);
  const chosen = only ? `of ${only.join(", ")}` : `of ${plural(twins.arms.length, "arm")}`;
  report.note(`all runs ${chosen} are trained and measured; their results are in ${results}`);
}

/** @throws UsageError for options that twins have no use for */
function expectFitting(paths: readonly string[], options: TwinsTrainOptions): void {
  if (paths.length > 1) throw new UsageError(`train: expected one folder of twins, got ${paths.length} paths.`);
  for (const name of ["until", "from", "data", "adapter", "model"] as const)
    if (options[name] !== undefined)
      throw new UsageError(`--${name}: expected a chain or recipe files with it, got twins. Choose arms with --twins.`);
}
