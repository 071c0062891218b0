/** Our side of the LoRA comparison: the stage that `seedling train` runs. See bench/lora-step.mjs for the requests. */

import { Rng } from "../../dist/base/rng.js";
import { allNumbers, openBaseModel } from "../../dist/language/generation/base-model.js";
import { isLoraPath } from "../../dist/models/lora.js";
import { mapWeights, Runtime } from "../../dist/runtime/index.js";
import { lmStage } from "../../dist/training/language/lm-stage.js";
import { learnables } from "../../dist/training/loop/learn.js";
import { partOf } from "../../dist/training/loop/shares.js";
import { inOnePiece } from "../../dist/training/loop/whole-batch.js";
import { openSafetensors } from "../../dist/weights/index.js";
import { serve } from "../lib/side.mjs";
import { timed } from "../lib/stats.mjs";

/** @type {Runtime} */
let runtime;
/** @type {import("../../dist/runtime/index.js").Training} */
let training;
/** @type {ReturnType<typeof lmStage>} */
let stage;
let batch = 0;
let rate = 0;
let steps = 0;

async function step() {
  const out = await training.forward(await stage.batch(partOf(steps, batch), new Rng(steps)));
  const norm = await training.update(++steps, rate);
  return { loss: out.loss.data[0], norm };
}

await serve({
  async load({ folder, adapter, ids, batch: B, length: T, threads, lora, optimizer, dropout }) {
    const base = await openBaseModel(folder);
    const weights = await allNumbers(base);
    const texts = Array.from({ length: B }, (_, b) => ids.slice(b * T, (b + 1) * T));
    const train = {
      identity: "bench",
      get: (i) => ({ ids: texts[i % B], learned: texts[i % B].map(() => true) }),
    };
    runtime = new Runtime({ threads });
    stage = lmStage({
      name: "lora-step",
      config: base.config,
      length: T,
      train,
      validation: train,
      validationCount: B,
      runtime,
      adapter: { lora: { ...lora, dropout }, base: mapWeights(weights) },
    });
    [batch, rate] = [B, optimizer.rate];
    const params = stage.params(B);
    const { loss } = stage.build(params, B, inOnePiece);
    const stored = await openSafetensors(adapter);
    const start = new Map();
    for (const name of stored.tensors.keys()) start.set(name, await stored.readFloat32(name));
    await stored.close();
    const prefixes = stage.learns.filter(isLoraPath);
    const learn = learnables(params, { prefixes, seed: 1, weightDecay: optimizer.weightDecay, start });
    training = await runtime.train({
      loss,
      learn,
      weights: stage.frozen,
      optimizer: { ...optimizer, averageDecay: 0 },
    });
    return {};
  },
  step,
  async time({ count }) {
    const times = [];
    for (let i = 0; i < count; i++) times.push(await timed(step));
    return { wall: times.map(({ wall }) => wall) };
  },
  async read({ path }) {
    const { buffer, byteOffset, byteLength } = await training.readOne("m", path);
    return { base64: Buffer.from(buffer, byteOffset, byteLength).toString("base64") };
  },
  memory: () => ({ peak: process.resourceUsage().maxRSS / 1024 }),
});
await training?.close();
await runtime?.close();
