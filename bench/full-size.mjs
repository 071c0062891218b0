/**
 * Is the published SEED tokenizer at its full size (1.15 billion parameters) slower here than in PyTorch, and how much
 * does int8 gain? Random weights in the published shapes; two threads; the sides alternate.
 *
 *   node bench/full-size.mjs [--rounds 5] [--batch 1] [--threads 2] [--folder .cache/full-size] [--dry]
 *
 * The folder (about 12 GB) is kept for the next run. Requests to a side: `load`, `time`, `memory`.
 */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Params, shapesOf } from "../dist/graph/index.js";
import { seedGraphs } from "../dist/image-tokenizer/graphs.js";
import { quantizeFolder } from "../dist/image-tokenizer/quantize.js";
import { writeRandomWeights } from "./lib/random-weights.mjs";
import { setting, table, writeSection } from "./lib/report.mjs";
import { Side } from "./lib/side.mjs";
import { median, quantile } from "./lib/stats.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    batch: { type: "string", default: "1" },
    threads: { type: "string", default: "2" },
    folder: { type: "string", default: ".cache/full-size" },
    dry: { type: "boolean", default: false },
  },
});
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The released SEED v2. */
/** @type {import("../dist/models/config.js").ModelConfig} */
const CONFIG = {
  format: "seedling-2",
  vision: { imageSize: 224, patchSize: 14, width: 1408, depth: 39, heads: 16, mlpHidden: 6144 },
  qformer: { hidden: 768, heads: 12, layers: 12, intermediate: 3072, crossAttentionFrequency: 2, causal: true },
  codebook: { codes: 8192, width: 32 },
  decoderDepth: 4,
  decoderHeads: 12,
  image: { width: 1024, head: { kind: "down", dims: [256, 128, 32] } },
};

async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The folder with f32 weights, and the one with int8. */
async function prepare(root) {
  const [full, small] = [join(root, "f32"), join(root, "int8")];
  if (!(await exists(join(full, "config.json")))) {
    await mkdir(full, { recursive: true });
    const p = new Params();
    seedGraphs(CONFIG, p);
    console.error("writing random weights");
    await writeRandomWeights(join(full, "model.safetensors"), shapesOf(p));
    await writeFile(join(full, "config.json"), JSON.stringify(CONFIG));
  }
  if (!(await exists(small))) {
    console.error("quantizing");
    await quantizeFolder(full, small);
  }
  return { full, small };
}

const { full, small } = await prepare(options.folder);
const python = process.env.BENCH_PYTHON ?? "python3";
const sides = [
  { name: "Seedling f32", side: new Side("f32", process.execPath, [here("sides/tokenize.mjs")]), folder: full },
  { name: "Seedling int8", side: new Side("int8", process.execPath, [here("sides/tokenize.mjs")]), folder: small },
  {
    name: "PyTorch f32",
    side: new Side("pytorch", python, [here("peers/seed_tokenizer.py")]),
    folder: join(options.folder, "peer"),
  },
];
const batch = Number(options.batch);
for (const one of sides) {
  const { folder } = one;
  one.loaded = await one.side.ask({ do: "load", folder, threads: Number(options.threads), batch });
  await one.side.ask({ do: "time", count: 1 }); // warm-up
  console.error(`${one.name}: loaded in ${(one.loaded.ms / 1000).toFixed(1)} s`);
  one.ms = [];
}
for (let round = 0; round < Number(options.rounds); round++) {
  for (const one of round % 2 === 0 ? sides : sides.toReversed()) {
    await sleep(100);
    const { ms } = await one.side.ask({ do: "time", count: 1 });
    one.ms.push(median(ms) / batch);
  }
  console.error(`round ${round + 1}: ${sides.map(({ ms }) => ms.at(-1).toFixed(0)).join(" / ")} ms a picture`);
}
const peer = sides[2];
const rows = [];
for (const one of sides) {
  const { peak, unseen = 0 } = await one.side.ask({ do: "memory" });
  const ratios = one.ms.map((ms, i) => peer.ms[i] / ms);
  rows.push([
    one.name,
    median(one.ms).toFixed(0),
    `**${median(ratios).toFixed(2)}**`,
    `${quantile(ratios, 0.25).toFixed(2)} to ${quantile(ratios, 0.75).toFixed(2)}`,
    (one.loaded.ms / 1000).toFixed(1),
    (one.loaded.bytes / 2 ** 20).toFixed(0),
    peak.toFixed(0),
    (peak + unseen).toFixed(0),
    ((peak + unseen) / (one.loaded.bytes / 2 ** 20)).toFixed(2),
  ]);
}
for (const { side } of sides) side.close();
const head = [
  "side",
  "ms a picture",
  "PyTorch / it",
  "quartiles",
  "load s",
  "weights MiB",
  "peak RSS MiB",
  "with mapped weights",
  "that / weights",
];
const body = [
  `${setting({ PyTorch: peer.loaded.version })}.`,
  "",
  `Medians of ${options.rounds} alternated rounds, batches of ${batch}, ${options.threads} threads. Loading is from the start of the`,
  "process to the end of the first picture, files in the page cache. PyTorch runs transformers' `Blip2VisionModel` and",
  "`Blip2QFormerModel` followed by the quantizer, eager. Where the system does not count the pages of mapped files as memory",
  "of a process, as here, our weights are added to the peak.",
  "",
  table(head, rows),
].join("\n");
console.log(body);
if (!options.dry) writeSection("Tokenizing at full size (SEED v2, 1.15 billion parameters)", body);
