/**
 * A training run as a process of its own, for tests that end it: a transformer of two blocks learns to count on.
 * Prints a line of JSON for each step. Argument: JSON of the options below.
 */
import { built } from "../built.mjs";

const { interruptible } = await built("cli/interrupt.js");
const { input, normal } = await built("graph/index.js");
const { block, crossEntropy, linear } = await built("nn/index.js");
const { Runtime } = await built("runtime/index.js");
const { trainLoop } = await built("training/index.js");

/** `ballast`: floats that make a checkpoint large, so that writing it takes a while. */
const { run, resume = false, ballast = 0 } = JSON.parse(process.argv[2]);
const [T, D, V] = [6, 16, 8];

let seen = new Float32Array(1);

const stage = {
  name: "counting",
  learns: ["tokens", "blocks", "head"],
  build(p, B) {
    const ids = input("ids", [B, T], "i32");
    let x = p.at("tokens").get("weight", [V, D], normal(0.5)).gather(ids);
    for (const i of [0, 1]) x = block(p.at("blocks", i), x, { heads: 2, hidden: 32, eps: 1e-6, qkvBias: "all" });
    const logits = linear(p.at("head"), x, V).reshape([B * T, V]);
    return { loss: crossEntropy(logits, input("next", [B * T], "i32")) };
  },
  batch({ rows, of }, rng) {
    const all = Array.from({ length: of }, () => rng.int(V));
    const starts = rows.map((row) => all[row]);
    const B = rows.length;
    const from = (offset) =>
      Int32Array.from({ length: B * T }, (_, i) => (starts[Math.floor(i / T)] + (i % T) + offset) % V);
    return { ids: { shape: [B, T], data: from(0) }, next: { shape: [B * T], data: from(1) } };
  },
  async afterStep() {
    seen[0]++;
    return {};
  },
  state: () =>
    new Map([
      ["seen", seen],
      ["ballast", new Float32Array(ballast)],
    ]),
  restore(state) {
    seen = state.get("seen");
  },
};

const runtime = new Runtime({ threads: 1 });
try {
  await interruptible(async (signal) => {
    const { finished } = await trainLoop(stage, {
      run,
      runtime,
      seed: 5,
      batch: 4,
      accumulate: 2,
      schedule: { steps: 12, warmup: 3, peak: 0.01, floor: 0 },
      weightDecay: 0.1,
      optimizer: { beta1: 0.9, beta2: 0.98, eps: 1e-8, clipNorm: 1, averageDecay: 0.9 },
      logEvery: 1,
      saveEvery: 3,
      evaluateEvery: 100,
      identity: { recipe: "counting-1" },
      resume,
      signal,
      onLine: (line) => process.stdout.write(`${JSON.stringify(line)}\n`),
    });
    if (!finished) throw signal.reason;
  });
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode ?? 1;
} finally {
  await runtime.close();
}
