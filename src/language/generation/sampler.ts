/** Choosing the next token from logits. The order of the steps and their edges are those of transformers. */
import { SeedlingError, UsageError } from "../../base/errors.ts";
import { Rng } from "../../base/rng.ts";
import { withDefaults } from "../../base/with-defaults.ts";

export interface SamplingOptions {
  /** Logits are divided by it; 0 takes the most likely token always. Default 1. */
  readonly temperature?: number;
  /** Only the k most likely tokens; 0 for all. Default 0. */
  readonly topK?: number;
  /** Only the most likely tokens that together reach this share, in (0,1]. Default 1. */
  readonly topP?: number;
  /** Only tokens at least this share as likely as the most likely one, in [0,1]. Default 0. */
  readonly minP?: number;
  /** Logits of tokens that are there already: divided if positive, multiplied if negative. Default 1. */
  readonly repetitionPenalty?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** Less likely than the most likely token by e^-25: together too little for any share that a person would set. */
const NEGLIGIBLE = 25;

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

  /** logits: f32 [V], -Infinity for what may not come (not all of them); history: the ids so far -> id. */
  next(logits: Float32Array, history: readonly number[]): number {
    const { temperature, topK, topP, minP, repetitionPenalty } = this.#options;
    const scores = penalise(logits, history, repetitionPenalty);
    const best = argmax(scores);
    const top = scores[best]!;
    if (!Number.isFinite(top)) throw new SeedlingError(`sampling: expected numbers as logits, got ${top}.`);
    if (temperature === 0) return best;
    let ids: number[] = [];
    for (let id = 0; id < scores.length; id++) {
      scores[id] = (scores[id]! - top) / temperature; // 0 for the best, negative for the others
      if (scores[id]! > -NEGLIGIBLE) ids.push(id);
    }
    if (topK > 0) ids = likeliest(ids, scores, (some) => some.length >= topK).slice(0, topK);
    if (topP < 1) {
      const share = topP * weight(ids, scores);
      ids = likeliest(ids, scores, (some) => weight(some, scores) >= share);
      ids = ids.slice(0, countUpTo(share, ids, scores));
    }
    if (minP > 0) ids = ids.filter((id) => Math.exp(scores[id]!) >= minP);
    return this.#draw(ids, scores);
  }

  #draw(ids: readonly number[], scores: Float32Array): number {
    let rest = this.#rng.next() * weight(ids, scores);
    for (const id of ids) {
      rest -= Math.exp(scores[id]!);
      if (rest < 0) return id;
    }
    return ids.at(-1)!;
  }
}

/** A copy of the logits in which what came before is less likely. Keskar et al. 2019. */
function penalise(logits: Float32Array, history: readonly number[], penalty: number): Float32Array {
  const scores = logits.slice();
  if (penalty !== 1) for (const id of new Set(history)) scores[id]! *= scores[id]! > 0 ? 1 / penalty : penalty;
  return scores;
}

/** How far behind the most likely token, in nats; each is tried if those before are not enough. */
const NEAR = [1, 2, 4, 8] as const;

/** The most likely ids in order, at least as many as are enough: the many that are far behind need no sorting. */
function likeliest(ids: readonly number[], scores: Float32Array, enough: (some: number[]) => boolean): number[] {
  let some: number[] = [];
  for (const nats of [...NEAR, NEGLIGIBLE]) {
    some = ids.filter((id) => scores[id]! > -nats);
    if (enough(some)) break;
  }
  return some.sort((a, b) => scores[b]! - scores[a]! || a - b);
}

/** Likelihood of all of them, that of the most likely token being 1. */
function weight(ids: readonly number[], scores: Float32Array): number {
  return ids.reduce((sum, id) => sum + Math.exp(scores[id]!), 0);
}

/** How many of the sorted ids it takes to reach the weight; the one that crosses it counts. */
function countUpTo(goal: number, ids: readonly number[], scores: Float32Array): number {
  let sum = 0;
  for (const [i, id] of ids.entries()) {
    sum += Math.exp(scores[id]!);
    if (sum >= goal) return i + 1;
  }
  return ids.length;
}

/** The logarithm of the softmax of logits at id; those e^-25 below the largest count as nothing. */
export function logLikelihood(logits: Float32Array, id: number): number {
  const top = logits[argmax(logits)]!;
  let sum = 0;
  for (const logit of logits) if (logit > top - NEGLIGIBLE) sum += Math.exp(logit - top);
  return logits[id]! - top - Math.log(sum);
}

/** The first largest. */
export function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
