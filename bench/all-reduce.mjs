/**
 * What a step costs more on several ranks: the all-reduce of its gradient, and getting the gradient out of the worker
 * thread and back. Run it after a build, under the launcher to be measured:
 *
 *   mpirun -n 2 node bench/all-reduce.mjs [--floats 1000,1000000,5500000] [--rounds 15] [--exchange]
 *   bench/shaped-ranks.sh 8 1gbit node bench/all-reduce.mjs --exchange     between machines, on links of 1 Gbit/s
 *
 * --exchange: only what is between ranks. Beside it stands what a ring takes on such a link: 2 (N-1)/N of the bytes.
 * Every sum is checked. The first rank prints least, median and most milliseconds of: the optimizer's step (for
 * comparison), the gradient out and back, a meeting of all ranks, a sum over all ranks (which begins with a meeting).
 */
import { parseArgs } from "node:util";
import { alone } from "../dist/distributed/communicator.js";
import { launched } from "../dist/distributed/launch.js";
import { MpiRanks } from "../dist/distributed/mpi-ranks.js";
import { filled, input, Params } from "../dist/graph/index.js";
import { Runtime } from "../dist/runtime/index.js";

const { values: options } = parseArgs({
  options: {
    floats: { type: "string", default: "1000,1000000,5500000" },
    rounds: { type: "string", default: "15" },
    exchange: { type: "boolean", default: false },
  },
});
const rounds = Number(options.rounds);
const counts = options.floats.split(",").map(Number);
const optimizer = { beta1: 0.9, beta2: 0.98, eps: 1e-8, clipNorm: 1, averageDecay: 0 };

const launch = launched(process.env);
const ranks = launch ? await MpiRanks.join(launch) : alone;
if (options.exchange) {
  for (const count of counts) await exchange(count);
  if (ranks instanceof MpiRanks) await ranks.leave();
  process.exit();
}
const runtime = new Runtime({ threads: 1 });

for (const count of counts) {
  const w = new Params().get("w", [count], filled(1));
  const slot = { path: "w", shape: [count], rateScale: 1, weightDecay: 0, initial: new Float32Array(count).fill(1) };
  const loss = w.mul(input("x", [1])).mean();
  const training = await runtime.train({ loss, learn: [slot], optimizer });
  const times = { step: [], copies: [], meeting: [], sum: [] };
  for (let round = 1; round <= rounds; round++) {
    const feeds = { x: { shape: [1], data: Float32Array.of(ranks.rank + 1) } };
    await training.forward(feeds);
    await ranks.barrier();
    times.step.push(await timed(() => training.update(round, 1e-3)));
    await training.forward(feeds);
    await ranks.barrier();
    let gradients;
    const out = await timed(async () => {
      gradients = await training.gradients();
    });
    times.meeting.push(await timed(() => ranks.barrier()));
    times.sum.push(await timed(() => ranks.sum(gradients)));
    const wanted = (ranks.size * (ranks.size + 1)) / 2 / count;
    if (Math.abs(gradients[count - 1] / wanted - 1) > 1e-6)
      throw new Error(`wrong sum: ${gradients[count - 1]}, expected ${wanted}`);
    times.copies.push(out + (await timed(() => training.update(round, 1e-3, gradients))) - times.step.at(-1));
  }
  await training.close();
  if (ranks.rank > 0) continue;
  const columns = Object.entries(times).map(([name, all]) => `${name} ${spread(all)}`);
  console.log(`${ranks.size} ranks, ${count} floats: ${columns.join(", ")} ms`);
}
await runtime.close();
if (ranks instanceof MpiRanks) await ranks.leave();

/** Sums over all ranks, each begun by all at the same time. */
async function exchange(count) {
  const times = { meeting: [], sum: [] };
  const values = new Float32Array(count);
  for (let round = 0; round < rounds; round++) {
    values.fill(ranks.rank + 1);
    await ranks.barrier();
    times.meeting.push(await timed(() => ranks.barrier()));
    times.sum.push(await timed(() => ranks.sum(values)));
    if (values[count - 1] !== (ranks.size * (ranks.size + 1)) / 2) throw new Error(`wrong sum: ${values[count - 1]}`);
  }
  if (ranks.rank > 0) return;
  const moved = (2 * 4 * count * (ranks.size - 1)) / ranks.size;
  const columns = Object.entries(times).map(([name, all]) => `${name} ${spread(all)}`);
  console.log(`${ranks.size} ranks, ${count} floats: ${columns.join(", ")} ms; a ring moves ${moved} bytes a link`);
}

async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Least, median and most. */
function spread(all) {
  const sorted = [...all].sort((a, b) => a - b);
  const [least, middle, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map((x) => x.toFixed(2));
  return `${least} / ${middle} / ${most}`;
}
