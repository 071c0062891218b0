/** Our side of bench/search.mjs: builds an index of vectors from a file and searches it, in a process of its own. */
import { openSync, readSync } from "node:fs";
import { openIndex, openIndexWriter } from "../../dist/search/index.js";
import { serve } from "../lib/side.mjs";

const PIECE = 4096;
const maxMemory = () => process.resourceUsage().maxRSS * 1024;
let index;

await serve({
  /** Entries as `seedling index` adds them: a path, 52 bytes of codes, a vector. */
  async build({ vectors, count, width, folder }) {
    const begun = performance.now();
    const writer = await openIndexWriter(folder, { codebook: "bench", model: "bench" });
    const file = openSync(vectors, "r");
    const floats = new Float32Array(PIECE * width);
    for (let start = 0; start < count; start += PIECE) {
      const rows = Math.min(PIECE, count - start);
      readSync(file, new Uint8Array(floats.buffer, 0, rows * width * 4), 0, rows * width * 4, start * width * 4);
      const entries = Array.from({ length: rows }, (_, r) => ({
        picture: { path: `photos/${start + r}.jpg`, sizeBytes: 50_000, changedMs: 1_700_000_000_000 + start + r },
        codes: Array.from({ length: 32 }, (_, k) => (start + r + 257 * k) % 8192),
        vector: floats.slice(r * width, (r + 1) * width),
      }));
      await writer.add(entries);
    }
    await writer.finish();
    await writer.close();
    return { seconds: (performance.now() - begun) / 1000, memoryBytes: maxMemory() };
  },
  async open({ folder }) {
    const begun = performance.now();
    index = await openIndex(folder);
    return { seconds: (performance.now() - begun) / 1000, memoryBytes: maxMemory() };
  },
  /** Each query by itself, as a server gets them. */
  async search({ queries, width, count }) {
    const floats = Float32Array.from(queries.flat());
    const [found, ms] = [[], []];
    for (let q = 0; q < queries.length; q++) {
      const begun = performance.now();
      const hits = await index.nearest(floats.subarray(q * width, (q + 1) * width), count);
      ms.push(performance.now() - begun);
      found.push(hits.map(({ path }) => Number(path.slice(7, -4))));
    }
    return { found, ms, memoryBytes: maxMemory() };
  },
});
