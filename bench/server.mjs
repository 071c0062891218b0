/**
 * How much does the server's batching gain, and how long do its answers take? 1, 8, 64 and 200 clients on loopback tokenize,
 * chat and draw, alternately with batching and one by one.
 *
 *   node bench/server.mjs [--model DIR] [--seconds N] [--clients 1,8,64,200] [--work tokenize,chat,draw] [--threads N] [--dry]
 *   node bench/server.mjs --mixed MINUTES      200 clients (the most of --clients) of all kinds, bad ones among them:
 *                                              errors, memory, event loop
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { askFor } from "./lib/http-load.mjs";
import { mixedLoad } from "./lib/mixed-load.mjs";
import { setting, table, writeSection } from "./lib/report.mjs";
import { quantile } from "./lib/stats.mjs";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "models/seedling-mini" },
    seconds: { type: "string", default: "20" },
    clients: { type: "string", default: "1,8,64,200" },
    work: { type: "string", default: "tokenize,chat,draw" },
    threads: { type: "string", default: "0" },
    mixed: { type: "string" },
    dry: { type: "boolean", default: false },
  },
});

const picture = `data:image/png;base64,${readFileSync("examples/turtle.png", "base64")}`;
const codes = Array.from({ length: 32 }, (_, i) => i);
const question = (i) => [
  { type: "image_url", image_url: { url: picture }, codes },
  { type: "text", text: `what color is the background? ${i}` },
];
/** What each kind of client asks; pictures are real, questions differ. */
const WORK = {
  tokenize: { path: "/v1/tokenize", body: () => ({ images: [picture] }) },
  chat: {
    path: "/v1/chat/completions",
    body: (i) => ({ model: "model", max_tokens: 16, messages: [{ role: "user", content: question(i) }] }),
  },
  draw: { path: "/v1/images/generations", body: (i) => ({ prompt: "two red apples", seed: i }) },
};

/** @param {"batched" | "single"} mode */
async function startServer(mode) {
  const args = ["bench/sides/server.mjs", options.model, mode, options.threads];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value: url, done } = await lines.next();
  if (done) throw new Error(`the ${mode} server did not start`);
  return {
    url,
    /** Memory, and the delay of the event loop since the last call. */
    async state() {
      child.stdin.write("\n");
      return JSON.parse((await lines.next()).value);
    },
    close: () => child.stdin.end(),
  };
}

const load = () => `load average ${loadavg()[0].toFixed(1)}`;

if (options.mixed !== undefined) {
  const clients = Math.max(...options.clients.split(",").map(Number));
  const server = await startServer("batched");
  try {
    const { rows, summary } = await mixedLoad(server, { minutes: Number(options.mixed), clients, work: WORK });
    const body = `${setting({})}; ${load()}\n\n${table(["answers", "count", "p50 ms", "p99 ms"], rows)}\n\n${summary.join("\n")}`;
    console.log(body);
    if (!options.dry) writeSection("Server under mixed load", body);
  } finally {
    server.close();
  }
} else {
  const [batched, single] = [await startServer("batched"), await startServer("single")];
  const rows = [];
  const before = load();
  try {
    for (const name of options.work.split(",")) {
      const { path, body } = WORK[name];
      for (const side of [batched, single]) await askFor({ url: side.url, path, body, clients: 1, seconds: 1 }); // warm
      for (const clients of options.clients.split(",").map(Number)) {
        const measure = async ({ url }) => {
          const { times, seconds, failed } = await askFor({
            url,
            path,
            body,
            clients,
            seconds: Number(options.seconds),
          });
          if (failed > 0) throw new Error(`${name}, ${clients} clients: ${failed} requests failed`);
          return { rate: times.length / seconds, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
        };
        const [together, alone] = [await measure(batched), await measure(single)];
        rows.push([
          ...[name, String(clients), together.rate.toFixed(2), together.p50.toFixed(0), together.p99.toFixed(0)],
          ...[
            alone.rate.toFixed(2),
            alone.p50.toFixed(0),
            alone.p99.toFixed(0),
            (together.rate / alone.rate).toFixed(2),
          ],
        ]);
        console.error(rows.at(-1).join("  "));
      }
    }
  } finally {
    batched.close();
    single.close();
  }
  const head = ["work", "clients", "per s", "p50 ms", "p99 ms", "one by one per s", "p50 ms", "p99 ms", "gain"];
  const body = `${setting({})}; ${before} before, ${load()} after\n\n${table(head, rows)}`;
  console.log(body);
  if (!options.dry) writeSection("Server: batching", body);
}
