/**
 * Is a training step here slower than PyTorch's? One step is forward, backward, clipping and AdamW.
 *
 * Both sides run as child processes with two threads, start from the same weights, see the same batch, and are checked
 * against each other before they are timed. Then they alternate: one works while the other waits.
 *
 *   node bench/train-step.mjs [--rounds 10] [--steps 3] [--case name] [--threads 2] [--clock wall] [--profile file] [--dry]
 *
 * `--clock cpu` compares processor time and not the time on the wall: with one thread that holds on a busy machine.
 *
 * Requests to a side: `load` weights and batch, `step` once, `time` some steps, `read` a tensor, `memory`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { normal, Params, paramAttrs } from "../dist/graph/index.js";
import { initialValues } from "../dist/nn/index.js";
import { writeSafetensors } from "../dist/weights/index.js";
import { batch, loss, SIZES } from "./lib/cases.mjs";
import { gemmPeak, parameterCount, productFlops } from "./lib/gemm.mjs";
import { setting, table, writeSection } from "./lib/report.mjs";
import { Side } from "./lib/side.mjs";
import { median, quantile } from "./lib/stats.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    steps: { type: "string", default: "3" },
    case: { type: "string", multiple: true },
    threads: { type: "string", default: "2" },
    clock: { type: "string", default: "wall" },
    profile: { type: "string" },
    dry: { type: "boolean", default: false },
  },
});
const THREADS = Number(options.threads);
const OPTIMIZER = {
  rate: 1e-3,
  beta1: 0.9,
  beta2: 0.98,
  eps: 1e-8,
  weightDecay: 0.05,
  clipNorm: 1,
  /** Further arguments of torch.optim.AdamW: its fastest form on the CPU. */
  torch: { fused: true },
};
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** First weights and batch of a case in one file. */
async function writeStart(name, file) {
  const p = new Params();
  loss(name, p);
  // A matrix of zeros lets no gradient through, so that there would be nothing to compare after it.
  const weights = [...p.declared().values()].map(paramAttrs).map(({ path, shape, init }) => {
    const zeros = init.kind === "constant" && shape.length > 1;
    const data = initialValues(path, shape, zeros ? normal(0.02) : init, 1);
    return { name: `param:${path}`, dtype: /** @type {const} */ ("F32"), shape, data };
  });
  const feeds = Object.entries(batch(name)).map(([key, { shape, data }]) => ({
    name: `feed:${key}`,
    dtype: /** @type {"F32" | "I32"} */ (data instanceof Float32Array ? "F32" : "I32"),
    shape,
    data,
  }));
  await writeSafetensors(file, [...weights, ...feeds]);
  return [...p.declared().keys()];
}

/** Largest difference of any value of `a`, relative to the largest value of `b`. */
function difference(a, b) {
  const largest = (values) => values.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  return largest(a.map((v, i) => v - b[i])) / largest(b);
}

/** Rounding that nothing is made of: a wrong rule is off by a share of the gradient, not by a thousandth of it. */
const ROUNDING = 1e-4;
/** How much further from float64 than PyTorch's own float32 a gradient may be. */
const FACTOR = 4;

async function values(side, what, path, Type) {
  const { base64 } = await side.ask({ do: "read", what, path });
  return new Type(new Uint8Array(Buffer.from(base64, "base64")).buffer);
}

/**
 * One step of each. Loss and norm must agree, and the first moments of every parameter (0.1 gradient) must be as close
 * to those in float64 as the peer's do. Where a gradient is a small remainder of large terms, as for words that are rare
 * in the batch, both sides round by 1e-3 of it and more, each in its own way, so they are not held against each other.
 */
async function check(sides, paths) {
  const [mine, peer] = await Promise.all(sides.map((side) => side.ask({ do: "step" })));
  const worst = { loss: difference([mine.loss], [peer.loss]), norm: difference([mine.norm], [peer.norm]), moments: 0 };
  for (const path of paths) {
    if (/\.(key|k_proj)\.bias$/.test(path)) continue; // exactly 0, softmax does not see it: nothing but rounding
    const exact = await values(sides[1], "exact", path, Float64Array);
    const [ours, theirs] = await Promise.all(
      sides.map(async (side) => difference(Float64Array.from(await values(side, "m", path, Float32Array)), exact)),
    );
    if (!(ours < Math.max(ROUNDING, FACTOR * theirs)))
      throw new Error(`${path}: off float64 by ${ours} of the largest gradient, where PyTorch is off by ${theirs}`);
    if (ours > worst.moments) Object.assign(worst, { moments: ours, theirs, path });
  }
  if (!(worst.loss < 1e-5 && worst.norm < 1e-4))
    throw new Error(`the sides do not compute the same: ${JSON.stringify({ mine, peer, worst })}`);
  console.error(`largest difference to float64: ${JSON.stringify(worst)}`);
  return worst;
}

async function compare(name, folder) {
  const file = join(folder, `${name}.safetensors`);
  const paths = await writeStart(name, file);
  const sides = [
    new Side("seedling", process.execPath, [here("sides/seedling.mjs")]),
    new Side("pytorch", process.env.BENCH_PYTHON ?? "python3", [here("peers/train_step.py")]),
  ];
  const [mine, peer] = sides;
  const load = { do: "load", name, sizes: SIZES[name], file, threads: THREADS, optimizer: OPTIMIZER };
  const idle = [await mine.ask({ ...load, profile: options.profile }), await peer.ask(load)];
  const agreement = await check(sides, paths);
  for (const side of sides) await side.ask({ do: "time", count: 3 }); // warm-up
  const rounds = [];
  for (let i = 0; i < Number(options.rounds); i++) {
    const round = [];
    for (const which of i % 2 === 0 ? [0, 1] : [1, 0]) {
      await sleep(50); // threads of the other side stop spinning
      const times = await sides[which].ask({ do: "time", count: Number(options.steps) });
      round[which] = median(times[options.clock]);
    }
    rounds.push(round);
    console.error(`${name} round ${i + 1}: ${round.map((ms) => ms.toFixed(0)).join(" / ")} ms`);
  }
  const memory = [await mine.ask({ do: "memory" }), await peer.ask({ do: "memory" })];
  for (const side of sides) side.close();
  return { name, rounds, agreement, idle, peak: memory.map(({ peak }) => peak), version: idle[1].version };
}

function row({ name, rounds, idle, peak, agreement }, peakRate) {
  const ratios = rounds.map(([mine, peer]) => peer / mine);
  const ms = [0, 1].map((which) => median(rounds.map((round) => round[which])));
  const rates = ms.map((t) => productFlops(name) / t / 1e6);
  const spread = `${quantile(ratios, 0.25).toFixed(3)} to ${quantile(ratios, 0.75).toFixed(3)}`;
  const both = (values, digits = 0) => values.map((v) => v.toFixed(digits)).join(" / ");
  return [
    name,
    `${(parameterCount(name) / 1e6).toFixed(2)} M`,
    both(ms),
    `**${median(ratios).toFixed(3)}**`,
    spread,
    both(rates.map((rate) => (100 * rate) / peakRate)),
    both(peak),
    both(peak.map((value, i) => value - idle[i].idle)),
    [agreement.moments, agreement.theirs].map((v) => v.toExponential(0)).join(" / "),
  ];
}

const folder = await mkdtemp(join(tmpdir(), "bench-"));
try {
  const peakRate = await gemmPeak(THREADS, /** @type {"wall" | "cpu"} */ (options.clock));
  console.error(`GEMM peak: ${peakRate.toFixed(0)} GFLOP/s`);
  const results = [];
  for (const name of options.case ?? Object.keys(SIZES)) results.push(await compare(name, folder));
  const clock = { wall: "wall time", cpu: "processor time" }[options.clock];
  const setup = `${THREADS} thread${THREADS === 1 ? "" : "s"}, ${clock}`;
  const head = [
    "step",
    "learns",
    "ms, ours / PyTorch",
    "ratio (PyTorch / ours)",
    "quartiles",
    "% of GEMM peak, ours / PyTorch",
    "peak RSS MiB, ours / PyTorch",
    "of it after start-up",
    "largest difference of a gradient to float64, ours / PyTorch",
  ];
  const body = [
    `${setting({ PyTorch: results[0].version })}.`,
    "",
    `Medians of ${options.rounds} alternated rounds of ${options.steps} steps, ${setup}. A ratio above 1 means that PyTorch is slower.`,
    `Best fp32 product of 2048 x 2048 matrices through ONNX Runtime, same threads and clock: ${peakRate.toFixed(0)} GFLOP/s.`,
    "",
    table(
      head,
      results.map((result) => row(result, peakRate)),
    ),
  ].join("\n");
  console.log(body);
  if (!options.dry) writeSection(`One training step against PyTorch eager: ${setup}`, body);
} finally {
  await rm(folder, { recursive: true });
}
