/**
 * What a step costs more on several ranks: the all-reduce of its gradient, and getting the gradient out of the worker
 * thread and back. Run it after a build, under the launcher to be measured:
 *
 *   mpirun -n 2 node bench/all-reduce.mjs
 *
 * Every sum is checked. The first rank prints least, median and most milliseconds of: the optimizer's step (for
 * comparison), the gradient out and back, a meeting of all ranks, a sum over all ranks (which begins with a meeting).
 */
import { alone } from "../dist/distributed/communicator.js";
import { launched } from "../dist/distributed/launch.js";
import { MpiRanks } from "../dist/distributed/mpi-ranks.js";
import { filled, input, Params } from "../dist/graph/index.js";
import { Runtime } from "../dist/runtime/index.js";

const ROUNDS = 15;
const optimizer = { beta1: 0.9, beta2: 0.98, eps: 1e-8, clipNorm: 1, averageDecay: 0 };

const launch = launched(process.env);
const ranks = launch ? await MpiRanks.join(launch) : alone;
const runtime = new Runtime({ threads: 1 });

for (const count of [1_000, 1_000_000, 5_500_000]) {
  const w = new Params().get("w", [count], filled(1));
  const slot = { path: "w", shape: [count], rateScale: 1, weightDecay: 0, initial: new Float32Array(count).fill(1) };
  const loss = w.mul(input("x", [1])).mean();
  const training = await runtime.train({ loss, learn: [slot], optimizer });
  const times = { step: [], copies: [], meeting: [], sum: [] };
  for (let round = 1; round <= ROUNDS; round++) {
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
