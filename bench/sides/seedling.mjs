/** Our side of the training comparison. See bench/train-step.mjs for the requests. */

import { Params, paramAttrs } from "../../dist/graph/index.js";
import { Runtime } from "../../dist/runtime/index.js";
import { openSafetensors } from "../../dist/weights/index.js";
import { loss } from "../lib/cases.mjs";
import { serve } from "../lib/side.mjs";
import { timed } from "../lib/stats.mjs";

let runtime;
let training;
let feeds;
let rate;
let steps = 0;

async function step() {
  const out = await training.forward(feeds);
  const norm = await training.update(++steps, rate);
  return { loss: out.loss.data[0], norm };
}

await serve({
  async load({ name, file, threads, optimizer, profile }) {
    const idle = peakMiB();
    const p = new Params();
    const target = loss(name, p);
    const stored = await openSafetensors(file);
    const read = (key) => stored.read(key);
    const learn = [];
    for (const { path, shape } of [...p.declared().values()].map(paramAttrs))
      learn.push({
        path,
        shape,
        rateScale: 1,
        weightDecay: shape.length < 2 ? 0 : optimizer.weightDecay,
        initial: await read(`param:${path}`),
      });
    feeds = {};
    for (const [key, { shape }] of stored.tensors)
      if (key.startsWith("feed:")) feeds[key.slice(5)] = { shape, data: await read(key) };
    await stored.close();
    rate = optimizer.rate;
    runtime = new Runtime({ threads });
    training = await runtime.train({ loss: target, learn, optimizer: { ...optimizer, averageDecay: 0 }, profile });
    return { idle };
  },
  step,
  async time({ count }) {
    const times = [];
    for (let i = 0; i < count; i++) times.push(await timed(step));
    return { wall: times.map(({ wall }) => wall), cpu: times.map(({ cpu }) => cpu) };
  },
  async read({ what, path }) {
    const { buffer, byteOffset, byteLength } = await training.readOne(what, path);
    return { base64: Buffer.from(buffer, byteOffset, byteLength).toString("base64") };
  },
  memory: () => ({ peak: peakMiB() }),
});
await training?.close(); // flushes a profile
await runtime?.close();

function peakMiB() {
  return process.resourceUsage().maxRSS / 1024;
}
