import { expect, test } from "vitest";
import { wordRows } from "./word-rows.ts";

const WORDS = ["red", "blue", "cat", "dog"];
const width = 4;
/** Each word has an axis of its own. */
const embeddings = Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0));
const encode = (caption: string): number[] => caption.split(" ").map((word) => WORDS.indexOf(word));

/** Code 0 occurs in every red picture, 1 in every blue one, 2 with cats, 3 with dogs, 4 in all, 5 in none. */
const rows = Array.from({ length: 400 }, (_, i) => {
  const [color, thing] = [i % 2, (i >> 1) % 2];
  const codes = Array.from({ length: 32 }, (_, k) => [color, 2 + thing, 4][k % 3]!);
  return { codes, caption: `${WORDS[color]} ${WORDS[2 + thing]}`, questions: [] };
});

test("a code begins as the words that go with it", () => {
  const out = wordRows({ rows, encode, embeddings, width, codes: 6 });
  // Code 5 occurs in no picture, so its row is what all rows share.
  const shared = out.subarray(5 * width);
  const row = (code: number): number[] =>
    [...out.subarray(code * width, (code + 1) * width)].map((value, d) => value - shared[d]!);
  const likeliest = (code: number): string => WORDS[row(code).indexOf(Math.max(...row(code)))]!;
  expect([0, 1, 2, 3].map(likeliest)).toEqual(WORDS);
  expect(row(0)[1]).toBeLessThan(row(0)[2]!); // blue is ruled out, a cat is as likely as ever
  for (const code of [4, 5]) for (const value of row(code)) expect(Math.abs(value)).toBeLessThan(1e-6);
  const own = [0, 1, 2, 3, 4, 5].flatMap(row);
  const words = 0.5; // root of the mean square of the embeddings
  expect(Math.sqrt(own.reduce((sum, v) => sum + v * v, 0) / own.length)).toBeCloseTo(words * Math.SQRT1_2, 5);
  expect(Math.hypot(...shared)).toBeGreaterThan(0.2);
});

test("words in most captions and words in a few say nothing", () => {
  const said = rows.map((row, i) => ({ ...row, caption: `${row.caption.split(" ")[0]} ${i === 0 ? "dog" : "cat"}` }));
  const out = wordRows({ rows: said, encode, embeddings, width, codes: 6 });
  // Only the two colors are left, and their mean is taken off both.
  for (let code = 0; code < 5; code++)
    for (const d of [2, 3]) expect(out[code * width + d]).toBeCloseTo(out[5 * width + d]!, 6);
});

test("captions without a word that says anything give rows that are all alike", () => {
  const out = wordRows({ rows: rows.slice(0, 8), encode, embeddings, width, codes: 6 });
  const shared = [...out.subarray(0, width)];
  expect(Math.hypot(...shared)).toBeGreaterThan(0.1);
  for (let code = 0; code < 6; code++) expect([...out.subarray(code * width, (code + 1) * width)]).toEqual(shared);
});
