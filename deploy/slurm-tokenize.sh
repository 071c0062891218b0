#!/usr/bin/env bash
# Tokenizes tar shards with a Slurm array. All tasks run the same command and share the work through the output folder,
# so that their number is free, a task that is requeued or killed loses nothing, and more can be added while others run.
#
#   sbatch deploy/slurm-tokenize.sh '/shared/shards/*.tar' /shared/codes --output-format parquet
#   sbatch --array=0-99 deploy/slurm-tokenize.sh ...
#
#SBATCH --job-name=seedling-tokenize
#SBATCH --array=0-15
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
#SBATCH --output=%x-%A-%a.log
set -euo pipefail

if [ "$#" -lt 2 ]; then
  echo "expected: slurm-tokenize.sh 'SHARDS' OUT [OPTIONS]" >&2
  exit 2
fi
shards=$1 out=$2
shift 2

# The pattern is quoted: seedling expands it, however many shards there are. `exec` lets Slurm's signals reach it.
exec "${SEEDLING:-seedling}" tokenize "$shards" --shards "$out" --threads "${SLURM_CPUS_PER_TASK:-0}" "$@"
