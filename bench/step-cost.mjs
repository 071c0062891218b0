/**
 * How often does a training step pass over memory outside of products? Counts nodes, passes and megabytes, which do not
 * depend on the machine; `test/executors/step-cost.test.ts` holds them to their last values.
 *
 *   node bench/step-cost.mjs [--case name]
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Params, paramAttrs } from "../dist/graph/index.js";
import { initialValues } from "../dist/nn/index.js";
import { Runtime } from "../dist/runtime/index.js";
import { batch, loss, SIZES } from "./lib/cases.mjs";
import { stepCost } from "./lib/step-cost.mjs";

const { values: options } = parseArgs({ options: { case: { type: "string", multiple: true } } });
const optimizer = { beta1: 0.9, beta2: 0.98, eps: 1e-8, clipNorm: 1, averageDecay: 0 };

const names = /** @type {(keyof typeof SIZES)[]} */ (options.case ?? Object.keys(SIZES));
for (const name of names) {
  const folder = await mkdtemp(join(tmpdir(), "step-cost-"));
  const p = new Params();
  const target = loss(name, p);
  const learn = [...p.declared().values()].map(paramAttrs).map(({ path, shape, init }) => {
    return { path, shape, rateScale: 1, weightDecay: 0, initial: initialValues(path, shape, init, 1) };
  });
  const runtime = new Runtime({ threads: 1 });
  const training = await runtime.train({ loss: target, learn, optimizer, profile: join(folder, "step") });
  await training.forward(batch(name));
  await training.close();
  await runtime.close();
  const [file] = await readdir(folder);
  const { byOp, ...cost } = stepCost(await readFile(join(folder, file), "utf8"));
  await rm(folder, { recursive: true });
  console.log(name, cost);
  const ops = Object.entries(byOp).sort(([, a], [, b]) => b.megabytes - a.megabytes);
  for (const [op, { passes, megabytes }] of ops)
    console.log(`  ${op.padEnd(20)} ${String(passes).padStart(4)} passes ${megabytes.toFixed(0).padStart(6)} MB`);
}
