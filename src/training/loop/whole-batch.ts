/**
 * The whole batch, as the loss of a share of it sees it. A batch is computed in shares where several processes train
 * together, or where it does not fit into memory; the loss of the batch is the mean of the losses of its shares, and so
 * are its gradients. Most losses are means over examples and need no more. What compares examples with one another
 * (contrast), or divides by a number that depends on the batch (labels that count), reads the rest of the batch here.
 *
 * What it reads is computed first, for all shares, without gradients, and fed to each share as constants: GradCache (Gao
 * et al. 2021, arXiv 2101.06983). Gradients are those of the whole batch, exactly up to the order of sums.
 */
import { concat, input, stopGradient, type Tensor } from "../../graph/index.ts";
import type { Value, Values } from "../../runtime/index.ts";
import { joinRows, namedValue } from "./values.ts";

export interface WholeBatch {
  /** Number of shares, of equal size. */
  readonly shares: number;
  /**
   * Rows of the whole batch: f32 [b,*] -> [b shares,*], those of this share first. The gradient is that of a loss which
   * every share computes alike from all rows.
   */
  rows(own: Tensor): Tensor;
  /** Mean over the shares of a value that depends on the data alone; no gradient flows through it. */
  readonly mean: (own: Tensor) => Tensor;
  /** What a sum over this share is divided by, for a mean over all that count in the batch. count: f32 [] -> f32 []. */
  readonly divisor: (count: Tensor) => Tensor;
}

/** A batch in one piece. */
export const inOnePiece: WholeBatch = {
  shares: 1,
  rows: (own) => own,
  mean: (own) => own,
  divisor: (count) => count.maximum(1),
};

/** A batch in shares: what its loss asks for while the graph is built, and the feeds that answer it. */
export class SharedBatch implements WholeBatch {
  readonly shares: number;
  /** Outputs that have to be known of all shares, by name. */
  readonly asked: Record<string, Tensor> = {};
  readonly #kinds = new Map<string, "rows" | "mean">();

  constructor(shares: number) {
    this.shares = shares;
  }

  rows(own: Tensor): Tensor {
    const others = this.#ask("rows", own, [own.size(0) * (this.shares - 1), ...own.shape.slice(1)]);
    // Gradients are averaged over the shares, and each share has only its own part of this one.
    const scaled = own.add(own.sub(stopGradient(own)).mul(this.shares - 1));
    return concat([scaled, others], 0);
  }

  readonly mean = (own: Tensor): Tensor => this.#ask("mean", own, own.shape);

  readonly divisor = (count: Tensor): Tensor => this.mean(count).maximum(1 / this.shares);

  #ask(kind: "rows" | "mean", own: Tensor, shape: Tensor["shape"]): Tensor {
    const name = `whole:${this.#kinds.size}`;
    this.#kinds.set(name, kind);
    this.asked[name] = own;
    return input(name, shape);
  }

  /** Feeds of one share. answers: the values of `asked` of all shares, in order. */
  feeds(answers: readonly Values[], share: number): Values {
    const feeds: Record<string, Value> = {};
    for (const [name, kind] of this.#kinds) {
      const all = answers.map((values) => namedValue(values, name));
      feeds[name] = kind === "mean" ? meanOf(all) : rowsOf(all.filter((_, i) => i !== share));
    }
    return feeds;
  }
}

function rowsOf(values: readonly Value[]): Value {
  const [, ...row] = values[0]?.shape ?? [];
  const count = values.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  return { shape: [count, ...row], data: joinRows(values) };
}

function meanOf(values: readonly Value[]): Value {
  const [first] = values as readonly [Value];
  const data = new Float32Array(first.data.length);
  for (const [i] of data.entries()) data[i] = values.reduce((sum, value) => sum + value.data[i]!, 0) / values.length;
  return { shape: first.shape, data };
}
