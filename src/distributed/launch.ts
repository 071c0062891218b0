/** Whether this process is one of several that a launcher started, and by which MPI. */

export interface Launch {
  readonly launcher: string;
  /** Ranks that were started, and which of them this process is. */
  readonly size: number;
  readonly rank: number;
  /** Ranks on this machine, where the launcher says so. */
  readonly local: number | undefined;
  /** Names of the library, the likeliest first. */
  readonly libraries: readonly string[];
}

const OPEN_MPI = ["libmpi.so.40", "libmpi.so", "libmpi.40.dylib", "libmpi.dylib"];
const MPICH = ["libmpich.so.12", "libmpi.so.12", "libmpi.12.dylib"];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Undefined for a process that was started by itself, or as the only rank. mpirun of Open MPI, mpiexec of MPICH and srun
 * set environment variables of the process. SEEDLING_MPI names another library.
 */
export function launched(env: Environment): Launch | undefined {
  const number = (name: string): number | undefined => (env[name] ? Number(env[name]) : undefined);
  const found = [
    ["mpirun (Open MPI)", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", OPEN_MPI],
    ["srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_TASKS_PER_NODE", [...OPEN_MPI, ...MPICH]],
    ["mpiexec (MPICH)", "PMI_SIZE", "PMI_RANK", "MPI_LOCALNRANKS", MPICH],
  ] as const;
  const own = env["SEEDLING_MPI"];
  for (const [launcher, sizeName, rankName, localName, names] of found) {
    const size = number(sizeName);
    if (size === undefined || size < 2) continue;
    const local = number(localName);
    const known = Number.isFinite(local) ? local : undefined; // Slurm also writes "2(x3)"
    return { launcher, size, rank: number(rankName) ?? 0, local: known, libraries: own ? [own] : names };
  }
  return undefined;
}
