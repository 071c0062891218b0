/** Starts ranks as a user does. */
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { childEnv } from "../e2e/run.ts";

/** The launchers that this machine has, by the MPI that they belong to. Both may be installed. */
export const LAUNCHERS = {
  "Open MPI": launcher(["mpirun.openmpi", "mpirun"], /Open MPI/),
  MPICH: launcher(["mpiexec.hydra", "mpirun.mpich"], /HYDRA/),
};

function launcher(names: readonly string[], version: RegExp): string | undefined {
  return names.find((name) => version.test(spawnSync(name, ["--version"], { encoding: "utf8" }).stdout ?? ""));
}

/** In CI, where MPI is installed first, a test may not be skipped because there is none. */
export const REQUIRED = process.env["SEEDLING_REQUIRE_MPI"] !== undefined;

export const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** For a machine of few cores whose user is root, and without looking for networks. */
export const OPEN_MPI_OPTIONS = ["--allow-run-as-root", "--oversubscribe", "--mca", "btl", "self,vader", "-q"];

export function ranks(mpi: keyof typeof LAUNCHERS, count: number, command: readonly string[], env = {}) {
  const options = mpi === "Open MPI" ? OPEN_MPI_OPTIONS : [];
  const args = [...options, "-n", String(count), process.execPath, ...command];
  return spawn(LAUNCHERS[mpi]!, args, { env: { ...childEnv(), ...env } });
}
