/**
 * How well and how fast are pictures found?
 *
 *   node bench/search.mjs [--scenes 10000] [--entries 1000000] [--model DIR] [--python PYTHON] [--threads N]
 *     [--only 'flat|usearch'] [--dry]
 *
 * 1. Held-out scenes: rank of the picture that a caption was written for, by embeddings, by embeddings rounded to int8, and
 *    by codes alone; rank of a picture that is looked for by a disturbed copy (JPEG 30, cropped, mirrored, ...).
 * 2. Many entries, made by adding noise to those embeddings (or to random ones: --scenes 0): rate and memory of building,
 *    time of a query, share of the true ten nearest that are found; with our flat index, with LanceDB if it is installed,
 *    and with FAISS and usearch if a Python with them is named (pip install faiss-cpu usearch).
 *
 * Each side is a process of its own; they run one after the other. --atlas FILE: sprites in place of the icon sets.
 */
import { closeSync, mkdtempSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Rng } from "../dist/base/rng.js";
import { setting, table, writeSection } from "./lib/report.mjs";
import { searchScenes } from "./lib/search-scenes.mjs";
import { Side } from "./lib/side.mjs";
import { quantile } from "./lib/stats.mjs";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "models/seedling-mini" },
    scenes: { type: "string", default: "10000" },
    nouns: { type: "string", default: "48" },
    offset: { type: "string", default: "0" },
    disturbed: { type: "string", default: "500" },
    entries: { type: "string", default: "1000000" },
    queries: { type: "string", default: "200" },
    python: { type: "string" },
    only: { type: "string", default: "." },
    atlas: { type: "string" },
    threads: { type: "string", default: "2" },
    dry: { type: "boolean", default: false },
  },
});
const [scenes, entries, queryCount, threads] = ["scenes", "entries", "queries", "threads"].map((key) =>
  Number(options[key]),
);
/** Length of the noise that makes an entry of an embedding: cosine about 0.9. */
const NOISE = 0.5;
const NEAREST = 10;
/** As our LanceDB index has them. */
const [PARTS, PROBES] = [64, 40];

const parts = [];
const found =
  scenes > 0
    ? await searchScenes({
        ...{ model: options.model, scenes, nouns: Number(options.nouns), offset: Number(options.offset), threads },
        ...{ disturbed: Math.min(scenes, Number(options.disturbed)), atlas: options.atlas },
      })
    : undefined;
if (found) {
  const head = ["at rank 1", "up to 5", "up to 10", "median rank", "worst"];
  parts.push(`${scenes} scenes of split test, ${found.picturesPerSecond.toFixed(0)} encoded and embedded a second.`);
  parts.push(table(["the picture of a caption", ...head], found.recall));
  parts.push(table([`${Math.min(scenes, Number(options.disturbed))} pictures, by a copy`, ...head], found.robust));
}
if (entries > 0) parts.push(await manyEntries(found?.vectors ?? randomUnits(1000, 256)));
parts.push(
  `Load of the machine at the end: ${loadavg()
    .map((load) => load.toFixed(1))
    .join(", ")}.`,
);
const body = [setting({}), ...parts].join("\n\n");
console.log(body);
if (!options.dry) writeSection("Search", body);

async function manyEntries(base) {
  const width = base[0].length;
  const folder = mkdtempSync(join(tmpdir(), "seedling-bench-search-"));
  try {
    const vectors = join(folder, "vectors.f32");
    writeVectors(vectors, base, width);
    const rng = new Rng(99);
    const queries = Array.from({ length: queryCount }, () => jittered(base[rng.int(base.length)], rng));
    const wanted = nearestByFloats(vectors, queries, width);
    const rows = [];
    for (const [name, start, request] of sides(folder)) {
      if (!new RegExp(options.only, "i").test(name)) continue;
      const side = start();
      try {
        const built = await side.ask({ do: "build", vectors, count: entries, width, threads, ...request });
        const opened = request.folder ? await side.ask({ do: "open", ...request }) : undefined;
        const answer = await side.ask({ do: "search", queries: queries.map((q) => [...q]), width, count: NEAREST });
        const right = answer.found.map((ids, q) => ids.filter((id) => wanted[q].has(id)).length / NEAREST);
        rows.push([
          name,
          `${Math.round(entries / built.seconds)}`,
          `${(built.memoryBytes / 1e9).toFixed(2)} GB`,
          request.folder ? `${(sizeOf(request.folder) / 1e9).toFixed(2)} GB` : "",
          opened ? `${opened.seconds.toFixed(1)} s` : "",
          `${quantile(answer.ms, 0.5).toFixed(1)} / ${quantile(answer.ms, 0.99).toFixed(1)}`,
          `${((100 * right.reduce((a, b) => a + b, 0)) / right.length).toFixed(1)} %`,
        ]);
      } catch (error) {
        console.error(`${name}: left out (${error.message})`);
      }
      side.close();
    }
    const head = ["index", "entries/s", "memory", "on disk", "opened in", "query ms p50 / p99", "of the ten nearest"];
    return `${entries} entries of ${width} numbers, ${queryCount} queries, ${threads} threads.\n\n${table(head, rows)}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @returns {[string, () => Side, Record<string, unknown> & { folder?: string }][]} */
function sides(folder) {
  const ours = (name) => () => new Side(name, process.execPath, ["bench/sides/search.mjs"]);
  const peer = (kind) => () => new Side(kind, options.python, ["bench/peers/search.py", kind]);
  /** @type {[string, () => Side, Record<string, unknown> & { folder?: string }][]} */
  const peers = [
    ["FAISS, flat float32", peer("flat"), {}],
    ["FAISS, IVF_PQ", peer("ivf"), { parts: PARTS, probes: PROBES }],
    ["usearch, HNSW int8", peer("hnsw"), {}],
  ];
  return [
    ["flat, int8 (ours)", ours("flat"), { folder: join(folder, "b.index") }],
    ["LanceDB, IVF_PQ (ours)", ours("LanceDB"), { folder: join(folder, "b.lance") }],
    ...(options.python ? peers : []),
  ];
}

function writeVectors(path, base, width) {
  const [file, rng] = [openSync(path, "w"), new Rng(7)];
  const piece = new Float32Array(4096 * width);
  for (let start = 0; start < entries; start += 4096) {
    const rows = Math.min(4096, entries - start);
    for (let r = 0; r < rows; r++) piece.set(jittered(base[(start + r) % base.length], rng), r * width);
    writeSync(file, new Uint8Array(piece.buffer, 0, rows * width * 4));
  }
  closeSync(file);
}

/** The true nearest, from the floats. @returns {Set<number>[]} */
function nearestByFloats(path, queries, width) {
  const [file, piece] = [openSync(path, "r"), new Float32Array(4096 * width)];
  const best = queries.map(() => []);
  for (let start = 0; start < entries; start += 4096) {
    const bytes = readSync(file, new Uint8Array(piece.buffer), 0, piece.byteLength, start * width * 4);
    for (let r = 0; r < bytes / 4 / width; r++)
      for (const [q, query] of queries.entries()) {
        let score = 0;
        for (let k = 0; k < width; k++) score += query[k] * piece[r * width + k];
        const list = best[q];
        if (list.length === NEAREST && score <= list[NEAREST - 1].score) continue;
        list.push({ id: start + r, score });
        list.sort((a, b) => b.score - a.score);
        list.length = Math.min(list.length, NEAREST);
      }
  }
  closeSync(file);
  return best.map((list) => new Set(list.map(({ id }) => id)));
}

function jittered(vector, rng) {
  const noise = new Float32Array(vector.length);
  rng.fillNormal(noise);
  return unit(vector.map((value, k) => value + (NOISE / Math.sqrt(vector.length)) * noise[k]));
}

function randomUnits(count, width) {
  const rng = new Rng(5);
  return Array.from({ length: count }, () => {
    const values = new Float32Array(width);
    rng.fillNormal(values);
    return unit(values);
  });
}

function unit(values) {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

function sizeOf(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
