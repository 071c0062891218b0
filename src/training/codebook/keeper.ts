/** What happens to the codebook between steps: moving averages, revival of unused codes, and a look at its health. */
import type { Rng } from "../../base/rng.ts";
import type { Training, Values } from "../../runtime/index.ts";
import type { StepNews } from "../loop/loop.ts";
import { addRow, floatsOf, namedValue } from "../loop/values.ts";
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
    const ids = namedValue(outputs, "ids").data as Int32Array;
    const z = floatsOf(outputs, "z");
    this.#window.add(ids);
    for (const id of ids) this.#lastUsed[id] = step;
    const dead = [...this.#lastUsed.keys()].filter(
      (k) => reviveAfter > 0 && step - (this.#lastUsed[k] ?? 0) > reviveAfter,
    );
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
      addRow(sums, k, z, i, E);
    }
    average(this.#counts, counts, decay);
    average(this.#sums, sums, decay);
    for (const [k, count] of this.#counts.entries())
      if (count > 1e-4)
        table.set(
          this.#sums.subarray(k * E, (k + 1) * E).map((sum) => sum / count),
          k * E,
        );
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

/** Moves averages towards the values of a step. */
function average(averages: Float32Array, values: Float32Array, decay: number): void {
  for (const [i, value] of values.entries()) averages[i] = decay * (averages[i] ?? 0) + (1 - decay) * value;
}
