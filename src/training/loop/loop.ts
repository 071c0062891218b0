/**
 * The training loop: batches in, steps out, log lines and checkpoints on the way. It knows no model: a Stage brings the
 * graph, what learns, and the batches.
 */
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../base/errors.ts";
import { hashText, Rng } from "../../base/rng.ts";
import { alone, type Communicator } from "../../distributed/communicator.ts";
import { expectSameOnRanks } from "../../distributed/same.ts";
import { Params, type Tensor } from "../../graph/index.ts";
import { exists, makeFolder, placeError, writeFileAtomic } from "../../io/files.ts";
import type { AdamW, Runtime, Training, Values, WeightSource } from "../../runtime/index.ts";
import { Averages } from "./averages.ts";
import { resumeCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import type { Identity } from "./identity.ts";
import { learnables } from "./learn.ts";
import { MicroBatches } from "./micro-batches.ts";
import { rateAt, type Schedule } from "./schedule.ts";
import { gatherShares, type Part, wholeRows } from "./shares.ts";
import { expectSameWeights, onAnyRank, prepareOnFirst, sumOfGradients } from "./together.ts";
import { numberOf } from "./values.ts";
import type { WholeBatch } from "./whole-batch.ts";

/** What a stage reports after a step: numbers, averaged until the next log line, and a warning that is logged at once. */
export interface StepNews {
  readonly metrics?: Readonly<Record<string, number>>;
  readonly warning?: string | undefined;
}

/** One kind of training: a graph, which of its parameters learn, and its batches. */
export interface Stage {
  readonly name: string;
  /** The root of the parameter paths, if it is a special one (LoRA). */
  params?(batch: number): Params;
  /** Builds loss and metrics for `batch` examples: a micro-batch, or a share of it that sees the rest as `whole`. */
  build(
    p: Params,
    batch: number,
    whole: WholeBatch,
  ): { readonly loss: Tensor; readonly metrics?: Readonly<Record<string, Tensor>> };
  /** Name prefixes that learn. */
  readonly learns: readonly string[];
  /** Factor on the rate of a parameter; 0 for one that `afterStep` moves. */
  rateScale?(path: string): number;
  /** Frozen weights. */
  readonly frozen?: WeightSource;
  /** First values from an earlier stage. */
  readonly start?: ReadonlyMap<string, Float32Array>;
  /**
   * Feeds of the examples of a part. All randomness comes from `rng`, whose seed is that of the run and the number of the
   * micro-batch, and is drawn for the whole micro-batch (`rowsOfPart`).
   */
  batch(part: Part, rng: Rng): Values | Promise<Values>;
  /**
   * Called before the first step of a new run (k-means start of a codebook), of several ranks on the first. Long work
   * reports progress and stops on `signal`.
   */
  prepare?(training: Training, batch: PreparedBatch, work: Work): Promise<void>;
  /** Called after each step with the outputs of its last micro-batch, all rows of it (revival of dead codes). */
  afterStep?(step: number, outputs: Values, training: Training, rng: Rng): Promise<StepNews>;
  /** State that the stage keeps from step to step, saved with every checkpoint. */
  state?(): ReadonlyMap<string, Float32Array>;
  restore?(state: ReadonlyMap<string, Float32Array>): void;
  /** Numbers that belong to the weights and are measured rather than learned, scalars or vectors. */
  measured?(): ReadonlyMap<string, Float32Array>;
  /** Scores on validation data with the weights as they are. */
  evaluate?(weights: ReadonlyMap<string, Float32Array>, step: number): Promise<Readonly<Record<string, number>>>;
}

/** Batches as a stage prepares itself with them. */
export interface PreparedBatch {
  /** Examples of a micro-batch, and of the part of it that `forward` takes. */
  readonly of: number;
  readonly size: number;
  /** Outputs of the graph for a part by itself; values that depend on the rest of its batch are meaningless. */
  forward(feeds: Values): Promise<Values>;
}

/** What a caller may listen to. */
export interface Listener {
  /** A line of the log: means since the last one, scores, or a warning. */
  readonly onLine?: (line: LogLine) => void;
  /** The current work, and how much of it is done, if it can be counted in `unit`s ("steps", "pictures"). */
  readonly onProgress?: (what: string, done?: number, total?: number, unit?: string) => void;
  /** Something worth a line. */
  readonly onNote?: (text: string) => void;
}

/** Long work that can be stopped and reports how far it is. */
export interface Work extends Listener {
  readonly signal?: AbortSignal;
}

export interface LoopOptions extends Work {
  /** Folder for log and checkpoints. */
  readonly run: string;
  readonly runtime: Runtime;
  readonly seed: number;
  /** Processes that train together; each computes its share of every micro-batch. Default: this one alone. */
  readonly ranks?: Communicator;
  /** Examples of one micro-batch, and micro-batches of one step. */
  readonly batch: number;
  readonly accumulate: number;
  /** Pieces in which a rank computes its share, one after the other. Default 1. */
  readonly pieces?: number | undefined;
  readonly schedule: Schedule;
  readonly weightDecay: number;
  readonly optimizer: AdamW;
  /** Steps between log lines, checkpoints, evaluations. */
  readonly logEvery: number;
  readonly saveEvery: number;
  readonly evaluateEvery: number;
  readonly identity: Identity;
  readonly resume: boolean;
}

/** File of a run folder that holds the log, one JSON object a line. */
export const LOG = "log.jsonl";

export type LogLine = Readonly<Record<string, number | string>>;

export interface LoopResult {
  /** Weights that learned: the moving average if there is one, else as they are. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly step: number;
  /** Seconds of training, over all resumptions. */
  readonly seconds: number;
  /** Scores of the last evaluation, if there was one. */
  readonly scores: Readonly<Record<string, number>>;
  /** False if the run was stopped before its end; it can be resumed. */
  readonly finished: boolean;
}

export async function trainLoop(stage: Stage, options: LoopOptions): Promise<LoopResult> {
  const { run, runtime, batch, accumulate, schedule, optimizer, signal, ranks = alone } = options;
  const first = ranks.rank === 0; // it alone writes, and measures
  if (first) await makeFolder(run);
  const batches = new MicroBatches(stage, options);
  const { shares, size } = batches;
  const params = stage.params?.(size) ?? new Params();
  const { loss, metrics } = stage.build(params, size, batches.whole);
  const learn = learnables(params, {
    prefixes: stage.learns,
    seed: options.seed,
    weightDecay: options.weightDecay,
    start: stage.start,
    rateScale: stage.rateScale?.bind(stage),
  });
  const training = await runtime.train({
    ...{ loss, metrics, learn, weights: stage.frozen, optimizer },
    ...{ accumulate: accumulate * shares, preview: batches.asked },
  });
  const averages = optimizer.averageDecay > 0;
  const weights = async (): Promise<Map<string, Float32Array>> => {
    const data = await training.read(averages ? "average" : "param");
    const learned = learn.map(({ path, initial }, i) => [path, data[i] ?? initial] as const);
    return new Map([...learned, ...(stage.measured?.() ?? [])]);
  };
  const log = async (line: LogLine): Promise<void> => {
    if (!first) return;
    const path = join(run, LOG);
    await appendFile(path, `${JSON.stringify(line)}\n`).catch((error: unknown) => {
      throw placeError(error, path);
    });
    options.onLine?.(line);
  };

  try {
    const resumed = options.resume ? await resumeCheckpoint(run, training, averages, options.identity) : undefined;
    const now = { ...options.identity, "checkpoint to resume from": String(resumed?.step ?? 0) };
    await expectSameOnRanks(ranks, stage.name, now);
    if (first && options.resume) await forgetAfter(join(run, LOG), resumed?.step ?? 0);
    else if (first && (await exists(join(run, LOG)))) await writeFileAtomic(join(run, LOG), "");
    if (resumed) stage.restore?.(resumed.extra);
    else if (stage.prepare) await prepareOnFirst(stage, training, batches, ranks, options);
    let step = resumed?.step ?? 0;
    let saved = resumed?.step;
    const begun = performance.now() / 1000 - (resumed?.elapsedSeconds ?? 0);
    const elapsed = (): number => performance.now() / 1000 - begun;
    const save = async (): Promise<void> => {
      if (saved === step) return;
      await expectSameWeights(ranks, `${stage.name}, step ${step}`, training);
      const state = { step, identity: options.identity, elapsedSeconds: elapsed() };
      if (first) await saveCheckpoint(run, training, averages, state, stage.state?.());
      await ranks.barrier();
      saved = step;
    };
    let scores: Readonly<Record<string, number>> = {};
    let evaluated: number | undefined;
    const evaluate = async (): Promise<void> => {
      options.onProgress?.(`evaluating ${stage.name}`);
      if (first) scores = (await stage.evaluate?.(await weights(), step)) ?? {};
      evaluated = step;
      await log({ step, ...prefixed("validation/", scores) });
      await ranks.barrier();
    };
    await expectSameWeights(ranks, stage.name, training);

    // The next batch is made while the worker computes with this one.
    let next = batches.feeds(step * accumulate);
    const window = new Averages();
    while (step < schedule.steps && !(await onAnyRank(ranks, signal?.aborted === true))) {
      let outputs: Values[] = [];
      for (let part = 0; part < accumulate; part++) {
        const feeds = await next;
        const running = batches.forward(training, feeds, part === 0);
        next = batches.feeds(step * accumulate + part + 1);
        next.catch(() => {}); // reported when awaited
        outputs = await running;
        for (const one of outputs) {
          window.add(one);
          const loss = numberOf(one, "loss");
          if (!Number.isFinite(loss)) throw diverged(stage.name, loss, step + 1, saved);
        }
      }
      step++;
      const rate = rateAt(step, schedule);
      const norm = await training.update(step, rate, await sumOfGradients(ranks, training));
      if (!Number.isFinite(norm)) await log({ step, warning: `gradient norm ${norm}: the step was skipped` });
      if (stage.afterStep) {
        const rows = wholeRows(await gatherShares(ranks, outputs));
        const rng = new Rng(hashText(`${options.seed}/after/${step}`));
        const news = await stage.afterStep(step, rows, training, rng);
        if (news.metrics) window.addNumbers(news.metrics);
        if (news.warning) await log({ step, warning: news.warning });
      }
      window.addNumbers({ gradientNorm: norm });
      const last = step === schedule.steps;
      if (step % options.logEvery === 0 || last) {
        const { examplesPerSecond = 0, ...means } = await window.take(batch * accumulate, ranks);
        const left = (schedule.steps - step) * ((batch * accumulate) / examplesPerSecond);
        await log({
          step,
          steps: schedule.steps,
          ...means,
          rate,
          examplesPerSecond,
          elapsedSeconds: Math.round(elapsed()),
          leftSeconds: Math.round(left),
        });
      }
      if (step % options.saveEvery === 0 || last) await save();
      if (stage.evaluate && (step % options.evaluateEvery === 0 || last)) {
        await evaluate();
        window.restart();
      }
      options.onProgress?.(`training ${stage.name}`, step, schedule.steps, "steps");
    }
    const finished = step >= schedule.steps;
    // A run that was stopped between its last checkpoint and its evaluation.
    if (finished && stage.evaluate && evaluated !== step) await evaluate();
    if (!finished) {
      await save();
      options.onNote?.(`saved ${stage.name} at step ${step} of ${schedule.steps}`);
    }
    const measured = [...(stage.measured?.() ?? [])].map(([path, data]) => [path, [data.length]] as const);
    const shapes = new Map([...learn.map(({ path, shape }) => [path, shape] as const), ...measured]);
    return { weights: await weights(), shapes, step, finished, seconds: elapsed(), scores };
  } finally {
    await training.close();
  }
}

/** Removes the lines of steps that are trained again, and a line that was cut off. */
async function forgetAfter(path: string, step: number): Promise<void> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw placeError(error, path); // a log that cannot be read is not replaced
    return "";
  });
  const kept = text.split("\n").filter((line) => {
    try {
      return Number((JSON.parse(line) as LogLine).step ?? 0) <= step;
    } catch {
      return false;
    }
  });
  await writeFileAtomic(path, kept.map((line) => `${line}\n`).join(""));
}

/** Training that diverged: nothing after this step is of use. */
function diverged(stage: string, loss: number, step: number, saved: number | undefined): InputError {
  const kept = saved === undefined ? "no checkpoint was saved yet" : `checkpoint-${saved} is kept`;
  return new InputError(`${stage}: expected a finite loss, got ${loss} at step ${step}; ${kept}. Lower peakRate.`);
}

function prefixed(prefix: string, scores: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(scores).map(([key, value]) => [prefix + key, value]));
}
