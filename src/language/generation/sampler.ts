/** Chooses the next token from logits. Order and edge cases of the steps are those of transformers. */
import { SeedlingError, UsageError } from "../../base/errors.ts";
import { Rng } from "../../base/rng.ts";
import { withDefaults } from "../../base/with-defaults.ts";
import { Candidates, NEGLIGIBLE } from "./candidates.ts";

export interface SamplingOptions {
  /** Logits are divided by it; 0 always takes the likeliest token. Default 1. */
  readonly temperature?: number;
  /** Samples from the k likeliest tokens; 0 for all. Default 0. */
  readonly topK?: number;
  /** Samples from the likeliest tokens that together reach this probability, in (0,1]. Default 1. */
  readonly topP?: number;
  /** Samples from tokens at least this share as likely as the likeliest one, in [0,1]. Default 0. */
  readonly minP?: number;
  /** Divides positive logits of tokens that occurred before, and multiplies negative ones. Default 1. */
  readonly repetitionPenalty?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** @throws UsageError naming the option that is out of its range. */
export class Sampler {
  readonly #options: Required<SamplingOptions>;
  readonly #rng: Rng;
  readonly #candidates = new Candidates();

  constructor(options: SamplingOptions = {}) {
    const all = withDefaults({ temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 }, options);
    const check = (name: keyof SamplingOptions, fine: boolean, range: string): void => {
      if (!fine) throw new UsageError(`sampling: expected ${name} ${range}, got ${all[name]}.`);
    };
    check("temperature", all.temperature >= 0 && Number.isFinite(all.temperature), "of at least 0");
    check("topK", Number.isInteger(all.topK) && all.topK >= 0, "a whole number of at least 0");
    check("topP", all.topP > 0 && all.topP <= 1, "above 0 and at most 1");
    check("minP", all.minP >= 0 && all.minP <= 1, "within 0 and 1");
    check("repetitionPenalty", all.repetitionPenalty > 0 && Number.isFinite(all.repetitionPenalty), "above 0");
    check("seed", Number.isSafeInteger(all.seed), "a whole number");
    this.#options = all;
    this.#rng = new Rng(all.seed);
  }

  /** logits: f32 [V], -Infinity for forbidden tokens (not all of them); history: the ids so far -> id. */
  next(logits: Float32Array, history: readonly number[]): number {
    const { temperature, topK, topP, minP, repetitionPenalty } = this.#options;
    const penalized = repetitionPenalty === 1 ? logits : penalize(logits, history, repetitionPenalty);
    const best = argmax(penalized);
    const top = penalized[best] ?? Number.NaN;
    if (!Number.isFinite(top)) throw new SeedlingError(`sampling: expected finite logits, got ${top}.`);
    if (temperature === 0) return best;
    const some = this.#candidates;
    some.collect(penalized, top, temperature);
    if (topK > 0) some.keepLikeliest(topK);
    if (topP < 1) some.keepShare(topP);
    if (minP > 0) some.keepAtLeast(minP);
    return some.at(this.#rng.next()) ?? best;
  }
}

/** A copy of the logits in which earlier tokens are less likely. Keskar et al. 2019. */
function penalize(logits: Float32Array, history: readonly number[], penalty: number): Float32Array {
  const scores = logits.slice();
  for (const id of new Set(history)) {
    const score = scores[id] ?? 0;
    scores[id] = score * (score > 0 ? 1 / penalty : penalty);
  }
  return scores;
}

/** Log softmax of the logits at id; logits 25 below the largest are neglected. */
export function logLikelihood(logits: Float32Array, id: number): number {
  const top = logits[argmax(logits)] ?? Number.NaN;
  let sum = 0;
  for (const logit of logits) if (logit > top - NEGLIGIBLE) sum += Math.exp(logit - top);
  return (logits[id] ?? Number.NaN) - top - Math.log(sum);
}

/** Index of the largest value, the first of equal ones. */
export function argmax(values: Float32Array): number {
  let best = 0;
  let top = values[0] ?? Number.NaN;
  for (let i = 1; i < values.length; i++) {
    const value = values[i] as number;
    if (value > top) {
      best = i;
      top = value;
    }
  }
  return best;
}
