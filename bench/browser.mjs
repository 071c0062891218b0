/**
 * How fast are encoding, decoding, drawing and describing in a browser (headless Chromium, WebAssembly in a worker) compared with
 * Node on the same machine? The sides alternate.
 *
 *   node bench/browser.mjs [--model models/seedling-mini] [--rounds 5] [--seconds 2] [--threads 1] [--dry]
 *
 * More than one thread needs a page that is cross-origin isolated; this one is.
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, resolve, sep } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { setting, table, writeSection } from "./lib/report.mjs";
import { median, quantile } from "./lib/stats.mjs";
import { openWork, rateOf } from "./sides/browser-work.mjs";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "models/seedling-mini" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    threads: { type: "string", default: "1" },
    dry: { type: "boolean", default: false },
  },
});
const threads = Number(options.threads);
const CHROMIUM = [process.env.CHROMIUM_PATH, "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (p) => p && existsSync(p),
);
if (!CHROMIUM) throw new Error("browser: expected Chromium, found none. Set CHROMIUM_PATH.");

const WORKER = `
  import { openWork, rateOf } from "./bench/sides/browser-work.mjs";
  let opened;
  if (!self.name.startsWith("em-pthread")) self.onmessage = async ({ data: { id, name, args } }) => {
    try {
      if (name === "open") opened = await openWork(...args);
      self.postMessage({ id, result: name === "open" ? opened.openMs : await rateOf(opened.work[args[0]], args[1]) });
    } catch (error) {
      self.postMessage({ id, error: String(error) });
    }
  };`;
const PAGE = `
  const worker = new Worker("worker.js", { type: "module" });
  let next = 0;
  window.ask = (name, ...args) => new Promise((done, fail) => {
    const id = next++;
    const hear = ({ data }) => {
      if (data.id !== id) return;
      worker.removeEventListener("message", hear);
      data.error ? fail(new Error(data.error)) : done(data.result);
    };
    worker.addEventListener("message", hear);
    worker.postMessage({ id, name, args });
  });`;

async function bundle(input) {
  const { outputFiles } = await build({
    ...{ ...input, bundle: true, write: false, platform: "browser", format: "esm", logLevel: "error" },
  });
  return outputFiles[0].contents;
}

const files = new Map([
  ["/", [Buffer.from('<!doctype html><script type="module" src="page.js"></script>'), "text/html"]],
  ["/page.js", [Buffer.from(PAGE), "text/javascript"]],
  ["/worker.js", [await bundle({ stdin: { contents: WORKER, resolveDir: "." } }), "text/javascript"]],
  ["/worker-web.js", [await bundle({ entryPoints: ["dist/runtime/worker-web.js"] }), "text/javascript"]],
]);
const FOLDERS = { "/model/": resolve(options.model), "/": resolve("node_modules/onnxruntime-web/dist") };
const TYPES = { ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm" };

/** Files below the model folder and ONNX Runtime's, with ranges. */
const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
  const headers = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
  const made = files.get(path);
  if (made) return response.writeHead(200, { ...headers, "content-type": String(made[1]) }).end(made[0]);
  const [prefix, folder] = Object.entries(FOLDERS).find(([start]) => path.startsWith(start));
  const file = resolve(folder, path.slice(prefix.length));
  if (!file.startsWith(folder + sep) || !existsSync(file) || !statSync(file).isFile())
    return response.writeHead(404, headers).end();
  const { size } = statSync(file);
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const [start, end] =
    from === undefined ? [0, size - 1] : [Number(from), Math.min(to ? Number(to) : size - 1, size - 1)];
  response.writeHead(from === undefined ? 200 : 206, {
    ...headers,
    "content-type": TYPES[extname(file)] ?? "application/octet-stream",
    "content-length": end - start + 1,
    "accept-ranges": "bytes",
    ...(from !== undefined && { "content-range": `bytes ${start}-${end}/${size}` }),
  });
  if (request.method === "HEAD") response.end();
  else createReadStream(file, { start, end }).pipe(response);
});
await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
const url = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
const rows = [];
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(600_000);
  await page.goto(url);
  await page.waitForFunction("window.ask");
  const ask = (...args) => page.evaluate((all) => globalThis.ask(...all), args);
  const openMs = await ask("open", `${url}/model`, { threads });
  const node = await openWork(resolve(options.model), { threads });
  rows.push(["open, first picture, ms", openMs.toFixed(0), node.openMs.toFixed(0), (node.openMs / openMs).toFixed(2)]);
  const atLeast = 1000 * Number(options.seconds);
  for (const [name, once] of Object.entries(node.work)) {
    const sides = { browser: () => ask("rate", name, atLeast), node: () => rateOf(once, atLeast) };
    const rates = { browser: [], node: [] };
    for (const side of Object.keys(sides)) await sides[side](); // warm-up
    for (let round = 0; round < Number(options.rounds); round++)
      for (const side of round % 2 === 0 ? ["browser", "node"] : ["node", "browser"])
        rates[side].push(await sides[side]());
    const ratios = rates.browser.map((rate, i) => rate / rates.node[i]);
    const spread = `${median(ratios).toFixed(2)} (${quantile(ratios, 0.25).toFixed(2)} to ${quantile(ratios, 0.75).toFixed(2)})`;
    rows.push([`${name} per s`, median(rates.browser).toFixed(2), median(rates.node).toFixed(2), spread]);
    console.error(rows.at(-1).join("  "));
  }
  await node.close();
  const body = [
    `${setting({ Chromium: browser.version() })}; WebAssembly against native code, ${threads} thread${threads > 1 ? "s" : ""} each; medians of ${options.rounds} alternated rounds of ${options.seconds} s.`,
    "",
    table(["work", "browser", "Node", "browser / Node (quartiles)"], rows),
  ].join("\n");
  console.log(body);
  if (!options.dry) writeSection("In a browser", body);
} finally {
  await browser.close();
  server.close();
}
