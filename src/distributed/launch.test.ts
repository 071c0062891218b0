import { expect, test } from "vitest";
import { launched } from "./launch.ts";

test("a process that was started by itself, or as the only rank, is alone", () => {
  expect(launched({})).toBeUndefined();
  expect(launched({ OMPI_COMM_WORLD_SIZE: "1", OMPI_COMM_WORLD_RANK: "0" })).toBeUndefined();
  expect(launched({ SLURM_NTASKS: "4", SLURM_PROCID: "0" })).toBeUndefined(); // a batch script, not a step of srun
});

test("launchers tell the number of ranks, and which library is theirs", () => {
  const openMpi = { OMPI_COMM_WORLD_SIZE: "4", OMPI_COMM_WORLD_RANK: "3", OMPI_COMM_WORLD_LOCAL_SIZE: "2" };
  expect(launched(openMpi)).toMatchObject({ launcher: "mpirun (Open MPI)", size: 4, rank: 3, local: 2 });
  expect(launched(openMpi)!.libraries[0]).toBe("libmpi.so.40");
  const mpich = { PMI_SIZE: "2", PMI_RANK: "1", MPI_LOCALNRANKS: "2" };
  expect(launched(mpich)).toMatchObject({ launcher: "mpiexec (MPICH)", size: 2, rank: 1, local: 2 });
  expect(launched(mpich)!.libraries[0]).toBe("libmpich.so.12");
  const slurm = { SLURM_STEP_NUM_TASKS: "6", SLURM_PROCID: "5", SLURM_STEP_TASKS_PER_NODE: "2(x3)" };
  expect(launched(slurm)).toMatchObject({ launcher: "srun", size: 6, rank: 5, local: undefined });
  expect(launched({ ...slurm, SEEDLING_MPI: "/opt/mpi/libmpi.so" })!.libraries).toEqual(["/opt/mpi/libmpi.so"]);
});
