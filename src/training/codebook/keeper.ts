/** What happens to the codebook between steps: moving averages, revival of unused codes, and a look at its health. */
import type { Rng } from "../../base/rng.ts";
import type { Training, Values } from "../../runtime/index.ts";
import type { StepNews } from "../loop/loop.ts";
import { CodeWindow, UsageAlarm } from "./usage.ts";

export const CODEBOOK = "quantize.embedding.weight";

export interface KeeperOptions {
  /** "gradient" as published, or "ema": moving averages. */
  readonly learn: "gradient" | "ema";
  /** Decay of the moving averages per step. */
  readonly emaDecay: number;
  /** Steps without use after which a code starts again at a vector of the batch; 0 for never. */
  readonly reviveAfter: number;
}

/** Of K codes of width E. van den Oord et al. 2017, appendix A.1. */
export class CodebookKeeper {
  readonly #K: number;
  readonly #E: number;
  readonly #options: KeeperOptions;
  readonly #window = new CodeWindow(50);
  readonly #alarm = new UsageAlarm();
  #lastUsed: Float32Array;
  #counts: Float32Array;
  #sums: Float32Array;

  constructor(K: number, E: number, options: KeeperOptions) {
    this.#K = K;
    this.#E = E;
    this.#options = options;
    this.#lastUsed = new Float32Array(K);
    this.#counts = new Float32Array(K);
    this.#sums = new Float32Array(K * E);
  }

  /** The averages begin at the codes as they are, each with the number of vectors that a code gets in a step on average. */
  begin(table: Float32Array, share: number): void {
    this.#counts.fill(share);
    this.#sums = table.map((value) => value * share);
  }

  /** The window and the alarm too, so that a resumed run logs and warns as if it had never stopped. */
  state(): Map<string, Float32Array> {
    return new Map([
      ["window", this.#window.state()],
      ["alarm", this.#alarm.state(this.#K)],
      ["lastUsed", this.#lastUsed],
      ["counts", this.#counts],
      ["sums", this.#sums],
    ]);
  }

  restore(state: ReadonlyMap<string, Float32Array>): void {
    const [window, alarm] = [state.get("window"), state.get("alarm")];
    if (window) this.#window.restore(window);
    if (alarm) this.#alarm.restore(alarm, this.#K);
    this.#lastUsed = state.get("lastUsed") ?? this.#lastUsed;
    this.#counts = state.get("counts") ?? this.#counts;
    this.#sums = state.get("sums") ?? this.#sums;
  }

  async afterStep(step: number, outputs: Values, training: Training, rng: Rng): Promise<StepNews> {
    const { learn, reviveAfter } = this.#options;
    const ids = outputs.ids!.data as Int32Array;
    const z = outputs.z!.data as Float32Array;
    this.#window.add(ids);
    for (const id of ids) this.#lastUsed[id] = step;
    const dead: number[] = [];
    if (reviveAfter > 0) for (let k = 0; k < this.#K; k++) if (step - this.#lastUsed[k]! > reviveAfter) dead.push(k);
    if (learn === "ema" || dead.length > 0) {
      const table = await training.readOne("param", CODEBOOK);
      if (learn === "ema") this.#average(table, ids, z);
      for (const k of dead) this.#revive(table, k, step, z, rng);
      await training.writeOne("param", CODEBOOK, table);
    }
    const { usage, perplexity, entropyBits } = this.#window.health(this.#K);
    const warning = this.#window.full ? this.#alarm.check(usage) : undefined;
    const [leastEntropyBits, mostEntropyBits] = [Math.min(...entropyBits), Math.max(...entropyBits)];
    const metrics = { usage, perplexity, leastEntropyBits, mostEntropyBits, revived: dead.length };
    return { metrics, warning };
  }

  #average(table: Float32Array, ids: Int32Array, z: Float32Array): void {
    const [K, E, decay] = [this.#K, this.#E, this.#options.emaDecay];
    const counts = new Float32Array(K);
    const sums = new Float32Array(K * E);
    for (const [i, k] of ids.entries()) {
      counts[k]! += 1;
      for (let d = 0; d < E; d++) sums[k * E + d]! += z[i * E + d]!;
    }
    for (let k = 0; k < K; k++) {
      this.#counts[k] = decay * this.#counts[k]! + (1 - decay) * counts[k]!;
      for (let d = 0; d < E; d++) {
        const at = k * E + d;
        this.#sums[at] = decay * this.#sums[at]! + (1 - decay) * sums[at]!;
        if (this.#counts[k]! > 1e-4) table[at] = this.#sums[at]! / this.#counts[k]!;
      }
    }
  }

  #revive(table: Float32Array, k: number, step: number, z: Float32Array, rng: Rng): void {
    const E = this.#E;
    const row = rng.int(z.length / E);
    table.set(z.subarray(row * E, (row + 1) * E), k * E);
    this.#sums.set(z.subarray(row * E, (row + 1) * E), k * E);
    this.#counts[k] = 1;
    this.#lastUsed[k] = step;
  }
}
