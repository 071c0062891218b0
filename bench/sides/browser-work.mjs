/**
 * What bench/browser.mjs times, the same in Node and in a browser's worker: pictures to codes, codes to pictures, a prompt to
 * codes, words about a picture.
 */
import { SeedLanguageModel, SeedTokenizer } from "../../dist/index.js";

const SIDE = 64;

/** Pictures of colored stripes: what they show does not matter for the time. */
const pictures = (count) =>
  Array.from({ length: count }, (_, k) => ({
    width: SIDE,
    height: SIDE,
    data: Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => (i * (2 * k + 3)) % 256),
  }));

/**
 * @param {string} model folder or address
 * @param {{ device?: "cpu" | "webgpu", threads?: number }} options
 * @returns the kinds of work by name: each returns how many units it has done
 */
export async function openWork(model, options) {
  const start = performance.now();
  const imageTokenizer = await SeedTokenizer.fromPretrained(model, options);
  const language = await SeedLanguageModel.fromPretrained(model, { imageTokenizer, threads: options.threads });
  const [one, many] = [pictures(1), pictures(16)];
  const [{ codes = [] } = {}] = await imageTokenizer.encode(one);
  const openMs = performance.now() - start;
  let seed = 0;
  /** @type {Record<string, () => Promise<number>>} */
  const work = {
    "encode, 1 picture": async () => (await imageTokenizer.encode(one)).length,
    "encode, 16 pictures": async () => (await imageTokenizer.encode(many, { batch: 16 })).length,
    "decode, 1 picture": async () => (await imageTokenizer.decode([codes], { seed: seed++ })).length,
    "draw, tokens": async () => (await language.drawCodes("two red apples", { seed: seed++ }))[0].codes.length,
    "describe once, pictures": async () => (await language.describe([{ codes }], { bestOf: 1 })).length,
  };
  const close = async () => {
    await language.close();
    await imageTokenizer.close();
  };
  return { openMs, work, close };
}

/** @param {() => Promise<number>} once @param {number} atLeastMs @returns {Promise<number>} units a second */
export async function rateOf(once, atLeastMs) {
  const start = performance.now();
  let units = 0;
  do units += await once();
  while (performance.now() - start < atLeastMs);
  return (1000 * units) / (performance.now() - start);
}
