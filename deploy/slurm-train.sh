#!/usr/bin/env bash
# Trains on several nodes with Slurm: one rank a node, each with all cores that it is given. The run folder is shared.
#
#   sbatch deploy/slurm-train.sh recipes/mini --run /shared/runs/mini
#   sbatch --nodes=8 deploy/slurm-train.sh recipes/mini/clip.json --run /shared/runs/mini --resume
#
# A job that is requeued continues from its last checkpoint: a chain by itself, recipe files with --resume. Two minutes
# before its time is up Slurm sends SIGTERM; the ranks stop after the same step and save.
#SBATCH --job-name=seedling-train
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=32G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@120
#SBATCH --output=%x-%j.log
set -euo pipefail

if [ "$#" -lt 1 ]; then
  echo "expected: slurm-train.sh RECIPE... [OPTIONS]" >&2
  exit 2
fi

# pmix is how Slurm tells Open MPI 4 and 5 of the other ranks; for MPICH it is pmi2: MPI=pmi2 sbatch ...
exec srun --mpi="${MPI:-pmix}" --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" --kill-on-bad-exit=1 \
  "${SEEDLING:-seedling}" train "$@" --threads "${SLURM_CPUS_PER_TASK:-0}"
