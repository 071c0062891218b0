/**
 * Is a LoRA step of SmolLM2-135M slower here than with PyTorch and PEFT? Forward, backward, clipping and AdamW of rank 16
 * on all projections, eight texts of 64 tokens; the base is frozen.
 *
 *   node bench/lora-step.mjs --folder HF_FOLDER [--rounds 7] [--steps 2] [--threads 2] [--dropout 0.05] [--dry]
 *
 * Both sides run as child processes from the same weights. One step without dropout is compared first: loss, norm, and the
 * first moments of the thin matrices. Then they alternate. Requests to a side: `load`, `step`, `time`, `read`, `memory`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Rng } from "../dist/base/rng.js";
import { languageModelWeights } from "../dist/models/language-model.js";
import { readLmConfig } from "../dist/models/lm-config.js";
import { isLoraPath, LoraParams, SEED_LORA } from "../dist/models/lora.js";
import { readJsonFile, writeSafetensors } from "../dist/weights/index.js";
import { setting, table, writeSection } from "./lib/report.mjs";
import { Side } from "./lib/side.mjs";
import { median, quantile } from "./lib/stats.mjs";

const { values: options } = parseArgs({
  options: {
    folder: { type: "string", default: ".cache/lm-decode/hf" },
    rounds: { type: "string", default: "7" },
    steps: { type: "string", default: "2" },
    threads: { type: "string", default: "2" },
    dropout: { type: "string", default: "0.05" },
    dry: { type: "boolean", default: false },
  },
});
const [BATCH, LENGTH] = [8, 64];
const OPTIMIZER = { rate: 1e-4, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 };
const folder = resolve(options.folder);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const config = readLmConfig(await readJsonFile(join(folder, "config.json"), 1e6), folder);

/** First values of the thin matrices: none is zero, so that every gradient is something. */
async function writeStart(path) {
  const rng = new Rng(3);
  const thin = languageModelWeights(config, new LoraParams(SEED_LORA)).filter(([name]) => isLoraPath(name));
  const tensors = thin.map(([name, shape]) => {
    const data = Float32Array.from({ length: shape[0] * shape[1] }, () => 0.02 * rng.normal());
    return { name, dtype: /** @type {const} */ ("F32"), shape, data };
  });
  await writeSafetensors(path, tensors);
  return { names: thin.map(([name]) => name), size: tensors.reduce((sum, { data }) => sum + data.length, 0) };
}

const sidesOf = () => [
  new Side("seedling", process.execPath, [here("sides/lora-step.mjs")]),
  new Side("peft", process.env.BENCH_PYTHON ?? "python3", [here("peers/lora_step.py")]),
];

/** Largest difference of any value, relative to the largest value of the peer. */
function difference(a, b) {
  const largest = (values) => values.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  return largest(a.map((v, i) => v - b[i])) / largest(b);
}

async function check(load, names) {
  const sides = sidesOf();
  for (const side of sides) await side.ask({ ...load, dropout: 0 });
  const [mine, peer] = await Promise.all(sides.map((side) => side.ask({ do: "step" })));
  const worst = { loss: difference([mine.loss], [peer.loss]), norm: difference([mine.norm], [peer.norm]), moments: 0 };
  for (const path of names) {
    const [a, b] = await Promise.all(
      sides.map(async (side) => {
        const { base64 } = await side.ask({ do: "read", path });
        return new Float32Array(new Uint8Array(Buffer.from(base64, "base64")).buffer);
      }),
    );
    worst.moments = Math.max(worst.moments, difference(a, b));
  }
  for (const side of sides) side.close();
  if (!(worst.loss < 1e-4 && worst.norm < 1e-3 && worst.moments < 1e-2))
    throw new Error(`the sides do not compute the same: ${JSON.stringify({ mine, peer, worst })}`);
  return worst;
}

const work = await mkdtemp(join(tmpdir(), "bench-"));
try {
  const adapter = join(work, "adapter.safetensors");
  const { names, size } = await writeStart(adapter);
  const rng = new Rng(4);
  const ids = Array.from({ length: BATCH * LENGTH }, () => rng.int(config.vocabulary));
  const threads = Number(options.threads);
  const load = { do: "load", folder, adapter, ids, batch: BATCH, length: LENGTH, threads, lora: SEED_LORA };
  Object.assign(load, { optimizer: OPTIMIZER });
  const agreement = await check(load, names);
  console.error(`agreement: ${JSON.stringify(agreement)}`);
  const sides = sidesOf();
  const loaded = [];
  for (const side of sides) {
    loaded.push(await side.ask({ ...load, dropout: Number(options.dropout) }));
    await side.ask({ do: "time", count: 2 }); // warm-up
  }
  const rounds = [];
  for (let i = 0; i < Number(options.rounds); i++) {
    const round = [];
    for (const which of i % 2 === 0 ? [0, 1] : [1, 0]) {
      await sleep(50);
      const { wall } = await sides[which].ask({ do: "time", count: Number(options.steps) });
      round[which] = median(wall);
    }
    rounds.push(round);
    console.error(`round ${i + 1}: ${round.map((ms) => ms.toFixed(0)).join(" / ")} ms`);
  }
  const peaks = [];
  for (const side of sides) {
    peaks.push((await side.ask({ do: "memory" })).peak);
    side.close();
  }
  const ratios = rounds.map(([mine, peer]) => peer / mine);
  const quartiles = `${quantile(ratios, 0.25).toFixed(3)} to ${quantile(ratios, 0.75).toFixed(3)}`;
  const both = (values) => values.map((v) => v.toFixed(0)).join(" / ");
  const row = [
    `${(size / 1e6).toFixed(1)} M`,
    both([0, 1].map((which) => median(rounds.map((round) => round[which])))),
    `**${median(ratios).toFixed(3)}**`,
    quartiles,
    both(peaks),
    agreement.moments.toExponential(0),
  ];
  const head = ["learns", "ms, ours / PEFT", "ratio (PEFT / ours)", "quartiles", "peak RSS MiB, ours / PEFT"];
  const body = [
    `${setting(loaded[1].versions)}.`,
    "",
    `SmolLM2-135M, rank ${SEED_LORA.rank} on all projections, dropout ${options.dropout}, ${BATCH} texts of ${LENGTH} tokens, ${threads} threads. Medians of ${options.rounds}`,
    `alternated rounds of ${options.steps} steps; above 1 means that we are faster. One step without dropout agreed first.`,
    "",
    table([...head, "largest difference of a gradient"], [row]),
  ].join("\n");
  console.log(body);
  if (!options.dry) writeSection("A LoRA step of SmolLM2-135M against PyTorch and PEFT", body);
} finally {
  await rm(work, { recursive: true });
}
