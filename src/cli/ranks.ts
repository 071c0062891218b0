/** Commands that several processes run together, started by mpirun, mpiexec or srun. */
import { availableParallelism, cpus } from "node:os";
import { SeedlingError } from "../base/errors.ts";
import { alone, type Communicator } from "../distributed/communicator.ts";
import { type Launch, launched } from "../distributed/launch.ts";
import { MpiRanks } from "../distributed/mpi-ranks.ts";
import { Report, Reported, type ReportOptions } from "./report.ts";

export interface Rank {
  readonly ranks: Communicator;
  /** Speaks on the first rank only. */
  report(options: ReportOptions): Report;
  /** Threads where none are asked for: the cores of this machine, divided among its ranks. */
  readonly threads: number;
}

/** How long a rank that cannot join waits before it says so, ms. */
const PATIENCE = 1000;

const ALONE: Rank = { ranks: alone, report: (options) => new Report(options), threads: 0 };

/**
 * Runs `work` as one of the ranks that a launcher started, or alone. If a rank fails, all end; what went wrong is printed
 * once, by the first rank if it went wrong on all.
 */
export async function asRank<T>(work: (rank: Rank) => Promise<T>): Promise<T> {
  const launch = launched(process.env);
  if (!launch) return work(ALONE);
  const ranks = await MpiRanks.join(launch).catch(async (error: unknown) => {
    // As a rule on all ranks, of which the first ends the job before the others speak.
    if (launch.rank > 0) await new Promise((resolve) => setTimeout(resolve, PATIENCE));
    throw error;
  });
  const silent = { write: () => true };
  const own: Rank = {
    ranks,
    report: (options) => new Report(ranks.rank === 0 ? options : { ...options, quiet: true, screen: silent }),
    threads: threadsOf(launch),
  };
  try {
    const result = await work(own);
    await ranks.leave();
    return result;
  } catch (error) {
    const code = error instanceof Error && "exitCode" in error ? (error.exitCode as SeedlingError["exitCode"]) : 1;
    if (await ranks.allHaveFailed()) throw ranks.rank === 0 ? error : new Reported(code);
    process.once("exit", () => ranks.abort(code));
    if (!(error instanceof SeedlingError)) throw error;
    throw new SeedlingError(`rank ${ranks.rank} of ${ranks.size}: ${error.message}`, code, { cause: error });
  }
}

/** A launcher may have bound the process to its cores already. */
function threadsOf({ size, local = size }: Launch): number {
  const available = availableParallelism();
  return available < cpus().length ? available : Math.max(1, Math.floor(available / local));
}
