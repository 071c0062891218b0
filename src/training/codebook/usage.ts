/** Watches how much of the codebook is in use while it learns. */
import { type CodebookHealth, codebookHealth } from "../../evaluation/metrics/codebook-health.ts";

/** The codes of the last steps. */
export class CodeWindow {
  readonly #steps: Int32Array[] = [];
  readonly #length: number;

  constructor(steps: number) {
    this.#length = steps;
  }

  get full(): boolean {
    return this.#steps.length === this.#length;
  }

  /** For a checkpoint: how many codes a step has, and the steps one after the other. */
  state(): Float32Array {
    return Float32Array.from([this.#steps[0]?.length ?? 0, ...this.#steps.flatMap((ids) => [...ids])]);
  }

  restore(state: Float32Array): void {
    const [perStep = 0] = state;
    this.#steps.length = 0;
    if (perStep === 0) return;
    for (let at = 1; at < state.length; at += perStep) this.add(Int32Array.from(state.subarray(at, at + perStep)));
  }

  add(ids: Int32Array): void {
    this.#steps.push(ids);
    if (this.#steps.length > this.#length) this.#steps.shift();
  }

  health(codes: number): CodebookHealth {
    const ids = new Int32Array(this.#steps.reduce((sum, s) => sum + s.length, 0));
    let at = 0;
    for (const step of this.#steps) {
      ids.set(step, at);
      at += step.length;
    }
    return codebookHealth(ids, codes);
  }
}

/** Warns when fewer codes are in use than before: a codebook that begins to collapse seldom recovers by itself. */
export class UsageAlarm {
  #best = 0;
  #warned = false;

  /** As whole numbers, which float32 keeps exactly: the most codes in use, and whether it has warned. */
  state(codes: number): Float32Array {
    return Float32Array.of(Math.round(this.#best * codes), Number(this.#warned));
  }

  restore([used = 0, warned = 0]: Float32Array, codes: number): void {
    this.#best = used / codes;
    this.#warned = warned !== 0;
  }

  /** A warning about this usage (0..1), once for each fall below half of the best so far. */
  check(usage: number): string | undefined {
    this.#best = Math.max(this.#best, usage);
    const fallen = usage < this.#best / 2;
    const news = fallen && !this.#warned;
    this.#warned = fallen;
    if (!news) return undefined;
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    return `codebook usage fell to ${percent(usage)} from ${percent(this.#best)}. Try learn "ema" and reviveAfter 100.`;
  }
}
