/**
 * The server as a child process: `seedling serve` with or without batching. Prints its address, then one JSON line with its
 * memory (bytes) and the delay of its event loop (ms, 99th percentile since the last line) for every line on standard input.
 *
 *   node bench/sides/server.mjs <model folder> batched|single <threads> [<options of the language model, JSON>]
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { VERSION } from "../../dist/base/version.js";
import { encodePng } from "../../dist/index.js";
import { createApp } from "../../dist/server/app.js";
import { listen } from "../../dist/server/listen.js";
import { ModelPool } from "../../dist/server/model-pool.js";
import { openServedModel } from "../../dist/server/open-model.js";

const [folder = "", mode = "batched", threads = "0", language = "{}"] = process.argv.slice(2);
const open = async () => {
  const model = await openServedModel(folder, { id: "model", threads: Number(threads), ...JSON.parse(language) });
  return mode === "single" ? oneByOne(model) : model;
};
const pool = new ModelPool([{ id: "model", open }], { maxWaiting: 100_000, keepAliveMs: 0 });
const app = createApp({
  pool,
  version: VERSION,
  hosts: ["127.0.0.1"],
  origins: [],
  maxBodyBytes: 32e6,
  pictures: { maxBytes: 32e6, allowUrls: false },
  deadlineMs: 0,
  png: encodePng,
  onError: (line) => process.stderr.write(`${line}\n`),
});
const { url } = await listen(app, { host: "127.0.0.1", port: 0, graceMs: 1000 });
await pool.preload(pool.ids);
console.log(url);

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ rss: process.memoryUsage.rss(), delayMs: delay.percentile(99) / 1e6 }));
  delay.reset();
}
process.exit(0);

/** The same model, asked for one thing at a time: what a server without batching does. */
function oneByOne(model) {
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  /** @type {<T>(work: () => Promise<T>) => Promise<T>} */
  const alone = (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
  const each = (compute) => (jobs, signal) =>
    Promise.all(jobs.map((job) => alone(async () => (await compute([job], signal))[0])));
  return {
    ...model,
    encode: each(model.encode),
    decode: each(model.decode),
    async *chat(turns, settings) {
      const events = await alone(async () => {
        const all = [];
        for await (const event of model.chat(turns, settings)) all.push(event);
        return all;
      });
      yield* events;
    },
    drawCodes: (...args) => alone(() => model.drawCodes(...args)),
  };
}
