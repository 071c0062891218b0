"""Tokenizes tar shards on an Apache Spark cluster: each task pipes names of shards to `seedling tokenize --shards`.

    spark-submit deploy/spark_tokenize.py --out /shared/codes --tasks 16 /shared/shards -- --output-format parquet

The shards and the output folder must lie in a folder that all workers see, and `seedling` must be on their PATH (or be
named: --seedling "node /opt/seedling/dist/cli/main.js"). A task that Spark starts again, or starts twice, does no harm:
shards that are done are skipped, and a task waits for those that another process is working on.
"""

import argparse
import glob
import json
import os
import shlex
import sys

from pyspark.sql import SparkSession


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", help="folders of tars, tars, or patterns")
    parser.add_argument("--out", required=True, help="the folder of outputs")
    parser.add_argument("--tasks", type=int, default=16, help="Spark tasks; each opens the model once")
    parser.add_argument("--seedling", default="seedling", help="the command on the workers")
    own, passed_on = split(sys.argv[1:])
    return parser.parse_args(own), passed_on


def split(words):
    """What is behind "--" goes to seedling."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def tars(patterns):
    """The shards as absolute paths, which are the same on all workers."""
    found = set()
    for pattern in patterns:
        inside = os.path.join(pattern, "*.tar") if os.path.isdir(pattern) else pattern
        found.update(os.path.abspath(path) for path in glob.glob(inside))
    return sorted(found)


def main():
    options, passed_on = arguments()
    shards = tars(options.shards)
    if not shards:
        sys.exit(f"{' '.join(options.shards)}: expected tar shards, found none.")
    command = [*shlex.split(options.seedling), "tokenize", "--shards", os.path.abspath(options.out)]
    command += ["--json", "--quiet", *passed_on]
    # The names that Spark pipes become arguments. Exit code 3 means a bad shard or picture, which the worker's log names;
    # it must not end the job.
    script = f'mapfile -t names; {shlex.join(command)} "${{names[@]}}"; code=$?; [ $code = 3 ] || exit $code'
    spark = SparkSession.builder.appName("seedling tokenize").getOrCreate()
    names = spark.sparkContext.parallelize(shards, min(options.tasks, len(shards)))
    summaries = [json.loads(line) for line in names.pipe(f"bash -c {shlex.quote(script)}", checkCode=True).collect()]
    total = {key: sum(one[key] for one in summaries) for key in ("written", "present", "pictures", "partial", "failed")}
    spark.stop()
    print(json.dumps({"shards": len(shards), **total}))
    if total["failed"] or total["partial"]:
        sys.exit(3)


if __name__ == "__main__":
    main()
