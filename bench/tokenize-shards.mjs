/**
 * Does bulk tokenizing keep the cores busy, at the rate of the model alone, in constant memory?
 *
 *   node bench/tokenize-shards.mjs [--pictures 100000] [--side 256] [--threads 2] [--model DIR] [--format packed] [--dry]
 *
 * Writes tar shards of JPEG files (100 different ones, --side px), tokenizes them with `seedling tokenize --shards` in a
 * process of its own, and reads its processor time and memory once a second. The model alone: `encode` of pictures that are
 * decoded and resized already, before and after. A quiet machine is needed for the rates, not for the memory.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { Rng } from "../dist/base/rng.js";
import { writeShard } from "../dist/data/webdataset.js";
import { oneOverF } from "../dist/evaluation/disturbances.js";
import { SeedTokenizer } from "../dist/index.js";
import { setting, table, writeSection } from "./lib/report.mjs";
import { median } from "./lib/stats.mjs";

const { values: options } = parseArgs({
  options: {
    pictures: { type: "string", default: "100000" },
    side: { type: "string", default: "256" },
    threads: { type: "string", default: String(availableParallelism()) },
    model: { type: "string", default: "models/seedling-mini" },
    format: { type: "string", default: "packed" },
    dry: { type: "boolean", default: false },
  },
});
const [pictures, side, threads] = ["pictures", "side", "threads"].map((key) => Number(options[key]));
const [DIFFERENT, EACH, BATCH] = [100, 1000, 32];
/** Clock ticks of /proc a second. */
const TICKS = 100;

const folder = mkdtempSync(join(tmpdir(), "seedling-bench-shards-"));
try {
  const files = await jpegs(Math.min(DIFFERENT, pictures));
  mkdirSync(join(folder, "in"));
  for (let start = 0; start < pictures; start += EACH)
    await writeShard(join(folder, "in", `${String(start / EACH).padStart(5, "0")}.tar`), samples(files, start));
  const before = await modelAlone(files);
  const run = await tokenize();
  const after = await modelAlone(files);
  const alone = median([before, after]);
  const rows = [
    ["pictures a second", `${run.rate.toFixed(1)}`],
    ["the model alone, before and after", `${before.toFixed(1)}, ${after.toFixed(1)}`],
    ["of the model alone", `${((100 * run.rate) / alone).toFixed(1)} %`],
    ["busy, of all threads", `${(100 * run.busy).toFixed(1)} %`],
    ["memory after a tenth, at the end, most", run.memory.map((bytes) => `${(bytes / 1e6).toFixed(0)} MB`).join(", ")],
  ];
  const load = loadavg().map((value) => value.toFixed(1));
  const body = [
    setting({}),
    `${pictures} JPEG files of ${side} px in shards of ${EACH}, ${threads} threads, ${options.format}; load at the end ${load.join(", ")} (this run included).`,
    table(["", ""], rows),
  ].join("\n\n");
  console.log(body);
  if (!options.dry) writeSection("Bulk tokenizing", body);
} finally {
  rmSync(folder, { recursive: true });
}

async function jpegs(count) {
  const rng = new Rng(3);
  const files = [];
  for (let i = 0; i < count; i++) {
    const channels = [0, 1, 2].map(() => oneOverF(side, rng));
    const data = Uint8ClampedArray.from({ length: 3 * side * side }, (_, k) => 128 + 50 * channels[k % 3][(k / 3) | 0]);
    const raw = { width: side, height: side, channels: /** @type {3} */ (3) };
    files.push(new Uint8Array(await sharp(new Uint8Array(data.buffer), { raw }).jpeg({ quality: 85 }).toBuffer()));
  }
  return files;
}

async function* samples(files, start) {
  for (let i = start; i < Math.min(start + EACH, pictures); i++)
    yield { key: String(i).padStart(9, "0"), files: { jpg: files[i % files.length] } };
}

/** Pictures a second, of pictures as the model sees them. */
async function modelAlone(files) {
  const tokenizer = await SeedTokenizer.fromPretrained(options.model, { threads });
  const images = [];
  for (const file of files.slice(0, BATCH)) images.push(await tokenizer.prepare(file));
  const rates = [];
  for (let i = 0; i < 12; i++) {
    const begun = performance.now();
    await tokenizer.encode(images, { batch: BATCH });
    rates.push((1000 * images.length) / (performance.now() - begun));
  }
  await tokenizer.close();
  return median(rates.slice(2));
}

/** Of the time between a tenth and the end, so that opening the model does not count. */
async function tokenize() {
  const args = ["tokenize", join(folder, "in"), "--shards", join(folder, "out"), "--output-format", options.format];
  const child = spawn(
    process.execPath,
    ["dist/cli/main.js", ...args, "--model", options.model, "--threads", options.threads, "--batch", String(BATCH)],
    { stdio: ["ignore", "inherit", "pipe"], env: { ...process.env, NO_COLOR: "1" } },
  );
  let done = 0;
  child.stderr.setEncoding("utf8").on("data", (text) => {
    for (const [, count] of text.matchAll(/\((\d+) pictures\)/g)) done = Math.max(done, Number(count));
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  let [first, last, most] = [undefined, undefined, 0];
  while (child.exitCode === null) {
    try {
      last = { ...usage(child.pid), done, at: performance.now() };
      most = Math.max(most, last.memory);
      if (done >= pictures / 10) first ??= last;
    } catch {
      break; // it has just ended
    }
    await sleep(1000);
  }
  if ((await ended) !== 0) throw new Error(`tokenize ended with exit code ${child.exitCode}`);
  if (!first || last.at - first.at < 5000) throw new Error("too few --pictures: it ended within seconds");
  const seconds = (last.at - first.at) / 1000;
  return {
    rate: (last.done - first.done) / seconds,
    busy: (last.ticks - first.ticks) / TICKS / seconds / threads,
    memory: [first.memory, last.memory, most],
  };
}

/** Processor time of a process, ticks, and its resident memory, bytes (Linux). */
function usage(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return { ticks: Number(fields[11]) + Number(fields[12]), memory: 1024 * Number(resident?.[1]) };
}
