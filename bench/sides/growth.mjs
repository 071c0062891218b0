/**
 * One point of a curve of bench/growth.mjs: some work of size n in a process of its own. Prints its time in ms, after a
 * warm-up, and the peak memory of the process in MB, as JSON.
 *
 *   node bench/sides/growth.mjs <work> <n> <threads> <model folder>
 */
import { Rng } from "../../dist/base/rng.js";
import { SeedLanguageModel, SeedTokenizer } from "../../dist/index.js";
import { openLanguageModel } from "../../dist/language/generation/index.js";
import { nearest } from "../../dist/search/flat-search.js";

const [work, size, threadCount, model] = process.argv.slice(2);
const [n, threads] = [Number(size), Number(threadCount)];
const SIDE = 64;
const WIDTH = 256;

const rng = new Rng(1);
const picture = () => ({
  width: SIDE,
  height: SIDE,
  data: Uint8Array.from({ length: 3 * SIDE * SIDE }, () => rng.int(256)),
});
const pictures = (count) => Array.from({ length: count }, picture);

/** @type {Record<string, () => Promise<{ once: () => unknown, close: () => Promise<void> }>>} */
const WORK = {
  /** n pictures at a time. */
  async batch() {
    const tokenizer = await SeedTokenizer.fromPretrained(model, { threads });
    const images = pictures(n);
    return { once: () => tokenizer.encode(images, { batch: n }), close: () => tokenizer.close() };
  },
  /** n pictures, 16 at a time. */
  async pictures() {
    const tokenizer = await SeedTokenizer.fromPretrained(model, { threads });
    const images = pictures(16);
    const once = async () => {
      for (let at = 0; at < n; at += 16) await tokenizer.encode(images.slice(0, Math.min(16, n - at)), { batch: 16 });
    };
    return { once, close: () => tokenizer.close() };
  },
  /** n pictures decoded, 8 at a time. */
  async decode() {
    const tokenizer = await SeedTokenizer.fromPretrained(model, { threads });
    const codes = Array.from({ length: n }, () => Array.from({ length: 32 }, () => rng.int(tokenizer.codebookSize)));
    return { once: () => tokenizer.decode(codes, { batch: 8, steps: 4 }), close: () => tokenizer.close() };
  },
  /** A prompt of n tokens is read. */
  async reading() {
    const lm = await openLanguageModel(`${model}/lm`, { threads });
    const ids = Array.from({ length: n }, () => 100 + rng.int(1000));
    return { once: () => lm.start().read([ids]), close: () => lm.close() };
  },
  /** n tokens are written after one. */
  async writing() {
    const lm = await openLanguageModel(`${model}/lm`, { threads });
    const once = async () => {
      const state = lm.start();
      for (let i = 0; i < n; i++) await state.read([[100 + i]]);
    };
    return { once, close: () => lm.close() };
  },
  /** n pictures are described, once each. */
  async describing() {
    const lm = await SeedLanguageModel.fromPretrained(model, { threads });
    const images = Array.from({ length: n }, () => ({
      codes: Array.from({ length: 32 }, () => rng.int(lm.tokenizer.codebookSize)),
    }));
    return { once: () => lm.describe(images, { bestOf: 1, maxTokens: 16 }), close: () => lm.close() };
  },
  /** One query among n indexed pictures, exactly. */
  async search() {
    const index = {
      ...{ codebook: "", model: "", width: WIDTH },
      pictures: Array.from({ length: n }),
      codes: new Uint8Array(0),
      embeddings: Int8Array.from({ length: n * WIDTH }, (_, i) => ((i * 2654435761) % 255) - 127),
      scales: new Float32Array(n).fill(1 / 127),
    };
    const query = Float32Array.from({ length: WIDTH }, () => rng.normal());
    return { once: () => nearest(index, query, 10), close: async () => {} };
  },
};

const { once, close } = await WORK[work]();
await once();
const times = [];
const begun = performance.now();
do {
  const start = performance.now();
  await once();
  times.push(performance.now() - start);
} while (times.length < 3 || (performance.now() - begun < 2000 && times.length < 50));
await close();
times.sort((a, b) => a - b);
console.log(JSON.stringify({ ms: times[times.length >> 1], peakMb: process.resourceUsage().maxRSS / 1024 }));
