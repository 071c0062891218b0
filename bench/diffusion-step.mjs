/**
 * Is one evaluation of Stable Diffusion's UNet, or one decoding of its VAE, slower here than in diffusers? Published
 * sizes, random weights that both sides read from one file; two threads; the sides alternate and must agree.
 *
 *   node bench/diffusion-step.mjs [--rounds 3] [--threads 2] [--case text] [--folder .cache/full-size] [--dry]
 *
 * The folder (about 7 GB) is kept for the next run. Requests to a side: `load`, `time`, `memory`.
 */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CASES } from "./lib/diffusers-configs.mjs";
import { writeRandomWeights } from "./lib/random-weights.mjs";
import { setting, table, writeSection } from "./lib/report.mjs";
import { Side } from "./lib/side.mjs";
import { median, quantile } from "./lib/stats.mjs";
import { builtPart } from "./sides/diffusion.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "2" },
    case: { type: "string", default: "" },
    folder: { type: "string", default: ".cache/full-size" },
    dry: { type: "boolean", default: false },
  },
});
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** One random weight file a case, named as diffusers does, whole models with the encoder of the VAE left out. */
async function prepare(name, { config }) {
  const folder = join(options.folder, name.replace(/\W+/g, "-").toLowerCase());
  const file = join(folder, "diffusion_pytorch_model.safetensors");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  const there = await stat(file).then(
    () => true,
    () => false,
  );
  if (!there) await writeRandomWeights(file, builtPart(CASES[name]).stored.shapes, 0.01);
  return folder;
}

async function compare(name) {
  const folder = await prepare(name, CASES[name]);
  const sides = [
    new Side("seedling", process.execPath, [here("sides/diffusion.mjs"), "serve"]),
    new Side("diffusers", process.env.BENCH_PYTHON ?? "python3", [here("peers/diffusion.py")]),
  ];
  const { what, side } = CASES[name];
  const loaded = [];
  for (const one of sides)
    loaded.push(await one.ask({ do: "load", name, what, side, folder, threads: Number(options.threads) }));
  const [mine, peer] = loaded.map(({ sample }) => sample);
  const scale = Math.max(...peer.map(Math.abs));
  const difference = Math.max(...mine.map((x, i) => Math.abs(x - peer[i]))) / scale;
  if (!(difference < 1e-3)) throw new Error(`${name}: the sides do not agree: ${difference} of ${scale}`);
  const rounds = [];
  for (let i = 0; i < Number(options.rounds); i++) {
    const round = [];
    for (const which of i % 2 === 0 ? [0, 1] : [1, 0]) {
      await sleep(100);
      round[which] = (await sides[which].ask({ do: "time" })).ms;
    }
    rounds.push(round);
    console.error(`${name}: ${round.map((ms) => (ms / 1000).toFixed(2)).join(" / ")} s`);
  }
  const peaks = [];
  for (const one of sides) peaks.push((await one.ask({ do: "memory" })).peak);
  for (const one of sides) one.close();
  const ratios = rounds.map(([a, b]) => b / a);
  return {
    version: loaded[1].version,
    row: [
      name,
      [0, 1].map((which) => (median(rounds.map((round) => round[which])) / 1000).toFixed(2)).join(" / "),
      `**${median(ratios).toFixed(2)}**`,
      `${quantile(ratios, 0).toFixed(2)} to ${quantile(ratios, 1).toFixed(2)}`,
      peaks.map((mb) => mb.toFixed(0)).join(" / "),
      difference.toExponential(0),
    ],
  };
}

const results = [];
for (const name of Object.keys(CASES).filter((one) => one.includes(options.case))) results.push(await compare(name));
const head = [
  "call",
  "s, ours / diffusers",
  "diffusers / ours",
  "range",
  "peak RSS MiB, ours / diffusers",
  "difference",
];
const body = [
  `${setting({ diffusers: results[0].version })}.`,
  "",
  `Medians of ${options.rounds} alternated calls with one picture, ${options.threads} threads, after one call of each. Difference: the`,
  "largest of 64 outputs, relative to the largest.",
  "",
  table(
    head,
    results.map(({ row }) => row),
  ),
].join("\n");
console.log(body);
if (!options.dry) writeSection("Stable Diffusion at full size against diffusers", body);
