/**
 * How many tokens does the server write with SmolLM2-135M-Instruct for 8 clients that ask at the same time, compared with
 * llama.cpp with continuous batching (node-llama-cpp behind HTTP)? The same Q4_1 file; ours besides holds the adapter that
 * sees and draws. Text only, greedy; the sides alternate.
 *
 *   node bench/server-peer.mjs --gguf SmolLM2-135M-Instruct.Q4_1.gguf [--clients 8] [--rounds 5] [--seconds 20] [--tokens 64] [--threads 2] [--dry]
 */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { askFor } from "./lib/http-load.mjs";
import { setting, table, writeSection } from "./lib/report.mjs";
import { median, quantile } from "./lib/stats.mjs";

const { values: options } = parseArgs({
  options: {
    gguf: { type: "string" },
    model: { type: "string", default: "models/seedling-mini" },
    adapter: { type: "string", default: "models/seedling-smollm2" },
    clients: { type: "string", default: "8" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "20" },
    tokens: { type: "string", default: "64" },
    threads: { type: "string", default: "2" },
    dry: { type: "boolean", default: false },
  },
});
if (!options.gguf) throw new Error("server-peer: expected --gguf with the file of the model. See bench/README.md.");
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const lm = resolve(options.gguf);

/** Starts a server; its first line is its address, or JSON with address and version. */
async function start(name, args) {
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value, done } = await lines.next();
  if (done) throw new Error(`${name}: did not start. See bench/README.md.`);
  const told = value.startsWith("{") ? JSON.parse(value) : { url: value };
  return { name, ...told, rates: [], times: [], words: [], close: () => child.stdin.end() };
}

const SUBJECTS = ["bread", "rivers", "trains", "winter", "chess", "honey", "volcanoes", "violins"];
const body = (i) => ({
  model: "model",
  temperature: 0,
  max_tokens: Number(options.tokens),
  messages: [{ role: "user", content: `Write a few sentences about ${SUBJECTS[i % SUBJECTS.length]}.` }],
});

/** One round of one side: tokens a second that all clients got together. */
async function round(side, seconds) {
  let tokens = 0;
  const onAnswer = (text) => {
    const { completion_tokens: written } = JSON.parse(text).usage;
    side.words.push(written);
    tokens += written;
  };
  const load = {
    url: side.url,
    path: "/v1/chat/completions",
    body,
    clients: Number(options.clients),
    seconds,
    onAnswer,
  };
  const { failed, seconds: took, times } = await askFor(load);
  if (failed > 0) throw new Error(`${side.name}: ${failed} requests failed`);
  side.times.push(...times);
  return tokens / took;
}

const ours = await start("Seedling", [
  ...[here("sides/server.mjs"), options.model, "batched", options.threads],
  JSON.stringify({ lm, adapter: resolve(options.adapter) }),
]);
const peer = await start("llama.cpp", [here("peers/js/llama-server.mjs"), lm, options.threads, options.clients]);
const sides = [ours, peer];
try {
  for (const side of sides) {
    await round(side, 1); // warm-up
    side.times.length = 0;
    side.words.length = 0;
  }
  for (let i = 0; i < Number(options.rounds); i++) {
    for (const side of i % 2 === 0 ? sides : sides.toReversed())
      side.rates.push(await round(side, Number(options.seconds)));
    console.error(`round ${i + 1}: ${sides.map(({ rates }) => rates.at(-1).toFixed(1)).join(" / ")} tokens/s`);
  }
  const ratios = ours.rates.map((rate, i) => rate / peer.rates[i]);
  const rows = sides.map(({ name, rates, times, words }) => [
    ...[name, median(rates).toFixed(1), (words.reduce((sum, n) => sum + n, 0) / words.length).toFixed(1)],
    ...[quantile(times, 0.5).toFixed(0), quantile(times, 0.99).toFixed(0)],
  ]);
  const text = [
    `${setting({ "node-llama-cpp, llama.cpp": peer.version })}; ${options.clients} clients, ${options.threads} threads, at most ${options.tokens} tokens an answer.`,
    "",
    `Ours / llama.cpp: ${median(ratios).toFixed(2)} (${quantile(ratios, 0.25).toFixed(2)} to ${quantile(ratios, 0.75).toFixed(2)}; ${options.rounds} alternated rounds of ${options.seconds} s).`,
    "",
    table(["server", "tokens/s", "tokens an answer", "p50 ms", "p99 ms"], rows),
  ].join("\n");
  console.log(text);
  if (!options.dry) writeSection("Server next to llama.cpp", text);
} finally {
  for (const side of sides) side.close();
}
