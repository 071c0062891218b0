/** Chooses the next token from logits. Order and edge cases of the steps are those of transformers. */
import { SeedlingError, UsageError } from "../../base/errors.ts";
import { Rng } from "../../base/rng.ts";
import { withDefaults } from "../../base/with-defaults.ts";

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

/** Tokens e^-25 times as likely as the likeliest: together too few to matter. */
const NEGLIGIBLE = 25;

interface Candidate {
  readonly id: number;
  /** Logit minus the largest one, divided by the temperature; f32. */
  readonly score: number;
}

/** @throws UsageError naming the option that is out of its range. */
export class Sampler {
  readonly #options: Required<SamplingOptions>;
  readonly #rng: Rng;

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
    const penalized = penalize(logits, history, repetitionPenalty);
    const best = argmax(penalized);
    const top = penalized[best] ?? Number.NaN;
    if (!Number.isFinite(top)) throw new SeedlingError(`sampling: expected finite logits, got ${top}.`);
    if (temperature === 0) return best;
    let some: Candidate[] = [];
    penalized.forEach((logit, id) => {
      const score = Math.fround((logit - top) / temperature); // 0 for the likeliest, negative for the others
      if (score > -NEGLIGIBLE) some.push({ id, score });
    });
    if (topK > 0) some = likeliest(some, (first) => first.length >= topK).slice(0, topK);
    if (topP < 1) {
      const goal = topP * weight(some);
      some = likeliest(some, (first) => weight(first) >= goal);
      some = some.slice(0, countUpTo(goal, some));
    }
    if (minP > 0) some = some.filter(({ score }) => Math.exp(score) >= minP);
    return this.#draw(some, best);
  }

  #draw(some: readonly Candidate[], otherwise: number): number {
    let rest = this.#rng.next() * weight(some);
    for (const { id, score } of some) {
      rest -= Math.exp(score);
      if (rest < 0) return id;
    }
    return some.at(-1)?.id ?? otherwise;
  }
}

/** A copy of the logits in which earlier tokens are less likely. Keskar et al. 2019. */
function penalize(logits: Float32Array, history: readonly number[], penalty: number): Float32Array {
  const scores = logits.slice();
  if (penalty === 1) return scores;
  for (const id of new Set(history)) {
    const score = scores[id] ?? 0;
    scores[id] = score * (score > 0 ? 1 / penalty : penalty);
  }
  return scores;
}

/** Distances from the likeliest token, in nats; each is tried if the ones before do not give enough. */
const NEAR = [1, 2, 4, 8, NEGLIGIBLE] as const;

/** The likeliest candidates in order, at least as many as are enough: the many unlikely ones need no sorting. */
function likeliest(all: readonly Candidate[], enough: (some: Candidate[]) => boolean): Candidate[] {
  let some: Candidate[] = [];
  for (const nats of NEAR) {
    some = all.filter(({ score }) => score > -nats);
    if (enough(some)) break;
  }
  return some.sort((a, b) => b.score - a.score || a.id - b.id);
}

/** Sum of likelihoods, relative to the likeliest token. */
function weight(some: readonly Candidate[]): number {
  return some.reduce((sum, { score }) => sum + Math.exp(score), 0);
}

/** How many of the sorted candidates it takes to reach the weight, including the one that crosses it. */
function countUpTo(goal: number, some: readonly Candidate[]): number {
  let sum = 0;
  for (const [i, { score }] of some.entries()) {
    sum += Math.exp(score);
    if (sum >= goal) return i + 1;
  }
  return some.length;
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
  values.forEach((value, i) => {
    if (value > top) [best, top] = [i, value];
  });
  return best;
}
