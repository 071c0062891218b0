/** Micro-batches of a stage: this process's shares of them, fed and computed. */
import { InputError } from "../../base/errors.ts";
import { hashText, Rng } from "../../base/rng.ts";
import { alone, type Communicator } from "../../distributed/communicator.ts";
import type { Training, Values } from "../../runtime/index.ts";
import type { PreparedBatch, Stage } from "./loop.ts";
import { gatherShares, partOf } from "./shares.ts";
import { inOnePiece, SharedBatch, type WholeBatch } from "./whole-batch.ts";

export interface MicroBatchOptions {
  readonly seed: number;
  /** Examples of a micro-batch. */
  readonly batch: number;
  readonly ranks?: Communicator;
  readonly pieces?: number | undefined;
}

export class MicroBatches {
  /** Shares of a micro-batch, and the number of examples in each. */
  readonly shares: number;
  readonly size: number;
  /** What the loss of a share sees. */
  readonly whole: WholeBatch;
  readonly #stage: Stage;
  readonly #options: Required<MicroBatchOptions> & { readonly pieces: number };

  /** @throws InputError if the batch cannot be divided */
  constructor(stage: Stage, { seed, batch, ranks = alone, pieces = 1 }: MicroBatchOptions) {
    this.shares = ranks.size * pieces;
    if (batch % this.shares !== 0)
      throw new InputError(
        `${stage.name}: batch: expected a multiple of ${this.shares} (ranks times pieces), got ${batch}. Change batch, pieces or the number of ranks.`,
      );
    this.size = batch / this.shares;
    this.whole = this.shares === 1 ? inOnePiece : new SharedBatch(this.shares);
    this.#stage = stage;
    this.#options = { seed, batch, ranks, pieces };
  }

  /** What every share needs from the others before it is computed. Complete once the graph is built. */
  get asked(): SharedBatch["asked"] | undefined {
    return this.whole instanceof SharedBatch && Object.keys(this.whole.asked).length > 0 ? this.whole.asked : undefined;
  }

  /** Feeds of this process's shares of micro-batch `index`. */
  feeds(index: number): Promise<Values[]> {
    const { seed, batch } = this.#options;
    const each = this.#own().map(async (share) => {
      const rng = new Rng(hashText(`${seed}/batch/${index}`));
      return this.#stage.batch(partOf(index, batch, share, this.shares), rng);
    });
    return Promise.all(each);
  }

  /** Outputs of this process's shares; gradients are added up in `training`, where `first` begins a new sum. */
  async forward(training: Training, feeds: readonly Values[], first: boolean): Promise<Values[]> {
    const outputs: Values[] = [];
    const answers = await this.#answers(training, feeds);
    for (const [i, own] of feeds.entries()) {
      const rest = answers && (this.whole as SharedBatch).feeds(answers, this.#own()[i]!);
      outputs.push(await training.forward({ ...own, ...rest }, first && i === 0));
    }
    return outputs;
  }

  /** For `Stage.prepare`: copies of the part stand for the rest of its batch. */
  prepared(training: Training): PreparedBatch {
    const forward = async (feeds: Values): Promise<Values> => {
      if (!this.asked) return training.forward(feeds);
      const answer = await training.preview(feeds);
      const answers = Array<Values>(this.shares).fill(answer);
      return training.forward({ ...feeds, ...(this.whole as SharedBatch).feeds(answers, 0) });
    };
    return { of: this.#options.batch, size: this.size, forward };
  }

  /** The values of `asked`, of all shares. */
  async #answers(training: Training, feeds: readonly Values[]): Promise<Values[] | undefined> {
    if (!this.asked) return undefined;
    const own: Values[] = [];
    for (const one of feeds) own.push(await training.preview(one));
    return gatherShares(this.#options.ranks, own);
  }

  /** Numbers of the shares that this process computes. */
  #own(): number[] {
    const { ranks, pieces } = this.#options;
    return Array.from({ length: pieces }, (_, i) => ranks.rank * pieces + i);
  }
}
