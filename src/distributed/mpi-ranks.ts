/** The ranks of an MPI job. */
import { SetupError } from "../base/errors.ts";
import type { Communicator } from "./communicator.ts";
import type { Launch } from "./launch.ts";
import { Mpi } from "./mpi.ts";

/** How long a rank busy-waits for the others, ms; then it polls every millisecond, and after a second less often. */
const EAGER = 1;
const [SOON, LATER] = [1, 20];
/** How long a rank that fails waits for the others to fail too, ms: they may be seconds behind where cores are shared. */
const SAME_FAILURE = 3000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Every exchange begins with a barrier that is polled: while a rank waits, perhaps for minutes until another one has
 * evaluated, its event loop runs and its cores are free. The exchange itself blocks, and is short since all are there.
 */
export class MpiRanks implements Communicator {
  readonly rank: number;
  readonly size: number;
  /** "Open MPI v4.1.4". */
  readonly version: string;
  readonly #mpi: Mpi;

  private constructor(mpi: Mpi) {
    this.#mpi = mpi;
    this.rank = mpi.rank;
    this.size = mpi.size;
    this.version = mpi.version;
  }

  /** @throws SetupError if MPI is not there, or if it is not that of the launcher: its processes do not see each other */
  static async join({ launcher, size, libraries }: Launch): Promise<MpiRanks> {
    const mpi = await Mpi.open(libraries);
    mpi.init();
    const ranks = new MpiRanks(mpi);
    if (ranks.size === size) return ranks;
    mpi.finalize();
    throw new SetupError(
      `MPI: expected ${size} ranks, as ${launcher} started them, got ${ranks.size} by ${mpi.version}. Launcher and library are of two MPIs: use the launcher of that one, or set SEEDLING_MPI to the library of this one.`,
    );
  }

  async sum(values: Float32Array<ArrayBuffer>): Promise<void> {
    await this.barrier();
    this.#mpi.allReduce(values);
  }

  async gather(own: Uint8Array): Promise<Uint8Array<ArrayBuffer>[]> {
    await this.barrier();
    const all = this.#mpi.allGather(own);
    return Array.from({ length: this.size }, (_, rank) => all.slice(rank * own.length, (rank + 1) * own.length));
  }

  async barrier(): Promise<void> {
    await polled(this.#mpi.barrier(), Number.POSITIVE_INFINITY);
  }

  /** The job is done. All ranks call it. */
  async leave(): Promise<void> {
    await this.barrier();
    this.#mpi.finalize();
  }

  /**
   * This rank has failed. True if all have, as for a wrong recipe: each ends by itself, and the first may say why. Else
   * false, and `abort` has to follow.
   */
  async allHaveFailed(): Promise<boolean> {
    if (!(await polled(this.#mpi.barrier(true), SAME_FAILURE))) return false;
    this.#mpi.finalize();
    return true;
  }

  /** Ends all ranks. */
  abort(code: number): never {
    this.#mpi.abort(code);
    process.exit(code);
  }
}

/** False if that takes longer than `most` ms. */
async function polled(done: () => boolean, most: number): Promise<boolean> {
  const begun = performance.now();
  for (;;) {
    if (done()) return true;
    const waited = performance.now() - begun;
    if (waited > most) return false;
    if (waited < EAGER) await new Promise((resolve) => setImmediate(resolve));
    else await sleep(waited < 1000 ? SOON : LATER);
  }
}
