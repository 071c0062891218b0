/**
 * What a training step costs besides products does not grow: nodes, passes over memory and megabytes as ONNX Runtime ran
 * them, the same on every machine. Lower the numbers when a change lowers them; `node bench/step-cost.mjs` says where
 * they come from.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Rng } from "../../src/base/rng.ts";
import { input, normal, Params, paramAttrs } from "../../src/graph/index.ts";
import { unet } from "../../src/models/unet.ts";
import { block, crossEntropy, initialValues, layerNorm, linear, mse } from "../../src/nn/index.ts";
import { Runtime } from "../../src/runtime/index.ts";
import { stage1Loss } from "../../src/training/losses/stage1.ts";

const bench = new URL("../../bench/lib/", import.meta.url).href;
const { batchOf, lossOf } = await import(`${bench}steps.mjs`);
const { stepCost } = await import(`${bench}step-cost.mjs`);
const parts = { Rng, input, normal, block, crossEntropy, layerNorm, linear, mse, stage1Loss, unet };

interface Cost {
  readonly nodes: number;
  readonly passes: number;
  readonly megabytes: number;
}

/** Before graphs were simplified: 851, 406, 2,898; 1,910, 830, 3,480; 3,551, 1,785, 7,691. */
const limits: Readonly<Record<string, Cost>> = {
  transformer: { nodes: 741, passes: 352, megabytes: 2481 },
  "causal-qformer": { nodes: 1717, passes: 712, megabytes: 2935 },
  unet: { nodes: 3981, passes: 1542, megabytes: 5729 },
};

async function costOf(name: string): Promise<Cost> {
  const p = new Params();
  const loss = lossOf(parts, name, p);
  const learn = [...p.declared().values()].map(paramAttrs).map(({ path, shape, init }) => {
    return { path, shape, rateScale: 1, weightDecay: 0, initial: initialValues(path, shape, init, 1) };
  });
  const optimizer = { beta1: 0.9, beta2: 0.98, eps: 1e-8, clipNorm: 1, averageDecay: 0 };
  const folder = await mkdtemp(join(tmpdir(), "step-cost-"));
  const runtime = new Runtime({ threads: 1 });
  try {
    const training = await runtime.train({ loss, learn, optimizer, profile: join(folder, "step") });
    await training.forward(batchOf(parts, name));
    await training.close(); // writes the profile
    const [file] = await readdir(folder);
    return stepCost(await readFile(join(folder, file!), "utf8"));
  } finally {
    await runtime.close();
    await rm(folder, { recursive: true });
  }
}

test.each(Object.entries(limits))("a step of the %s costs no more than it did", async (name, limit) => {
  const { nodes, passes, megabytes } = await costOf(name);
  expect(passes, "there is something to count").toBeGreaterThan(100);
  for (const [what, value] of Object.entries({ nodes, passes, megabytes }))
    expect(value, what).toBeLessThanOrEqual(limit[what as keyof Cost]);
});
