/**
 * How much faster is training on several ranks? Trains some steps of a recipe with each number of ranks, one thread each,
 * in turns, and compares the rates that the log states: strong scaling, as the batch is that of all ranks together.
 *
 *   node bench/scaling.mjs [--recipe recipes/mini/vae.json] [--ranks 1,2] [--steps 60] [--rounds 3] [--options "..."] [--dry]
 *
 * It needs a quiet machine with as many cores as the most ranks, and the data of the recipe (npm run icons). Earlier stages
 * that the recipe reads are taken from --run, a run folder, which is left as it is. --options are those of mpirun.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { setting, table, writeSection } from "./lib/report.mjs";
import { median } from "./lib/stats.mjs";

const { values: options } = parseArgs({
  options: {
    recipe: { type: "string", default: "recipes/mini/vae.json" },
    run: { type: "string" },
    ranks: { type: "string", default: "1,2" },
    steps: { type: "string", default: "60" },
    rounds: { type: "string", default: "3" },
    options: { type: "string", default: "--allow-run-as-root --mca btl self,vader -q" },
    dry: { type: "boolean", default: false },
  },
});
const EVERY = 10;
const counts = options.ranks.split(",").map(Number);
const folder = mkdtempSync(join(tmpdir(), "seedling-scaling-"));
const name = basename(options.recipe, ".json");
const recipe = join(folder, `${name}.json`);
writeFileSync(
  recipe,
  JSON.stringify({
    ...{ extends: resolve(options.recipe), steps: Number(options.steps), logEvery: EVERY, warmup: 0 },
    ...{ evaluateEvery: 1e6, saveEvery: 1e6 },
  }),
);

/** Examples a second: the median of the lines after the first, in which everything warms up. */
function rate(ranks) {
  const run = join(folder, "run");
  rmSync(run, { recursive: true, force: true });
  if (options.run) cpSync(options.run, run, { recursive: true });
  rmSync(join(run, name), { recursive: true, force: true });
  const train = ["dist/cli/main.js", "train", recipe, "--run", run, "--threads", "1", "--json", "--quiet"];
  const [command, ...args] =
    ranks === 1
      ? [process.execPath, ...train]
      : ["mpirun", ...options.options.split(" "), "-n", String(ranks), process.execPath, ...train];
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1e8 });
  if (status !== 0) throw new Error(`${ranks} ranks: ${stderr.trim().split("\n").at(-1)}`);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const rates = lines.filter(({ examplesPerSecond }) => examplesPerSecond).map((line) => line.examplesPerSecond);
  return median(rates.slice(1));
}

try {
  const rates = new Map(counts.map((n) => [n, []]));
  for (let round = 0; round < Number(options.rounds); round++)
    for (const n of round % 2 ? [...counts].reverse() : counts) {
      rates.get(n).push(rate(n));
      console.error(`round ${round + 1}, ${n} ranks: ${rates.get(n).at(-1).toFixed(1)} examples/s`);
    }
  const [one] = counts.map((n) => median(rates.get(n)));
  const rows = counts.map((n) => {
    const all = rates.get(n);
    const spread = `${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)}`;
    return [String(n), median(all).toFixed(1), spread, (median(all) / one).toFixed(2)];
  });
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(", ");
  const body = [
    setting({}),
    `${options.recipe}, ${options.steps} steps, one thread a rank, ${options.rounds} rounds in turns; ${availableParallelism()} cores, load at the end ${load} (these runs included).`,
    table(["ranks", "examples/s, median", "spread", "times the first"], rows),
  ].join("\n\n");
  console.log(body);
  if (!options.dry) writeSection("Training on several ranks", body);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
