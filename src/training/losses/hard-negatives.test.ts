import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { constant, input, type Tensor } from "../../graph/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { hardContrast } from "./hard-negatives.ts";

const image = input("image", [2, 2]);
const texts = input("texts", [4, 2]);
const run = (outputs: Tensor[], feeds: Record<string, number[]>): number[][] =>
  evaluate(outputs, { feeds }).map(({ data }) => Array.from(data));

test("two pictures, worked by hand", () => {
  const { contrast, pairs, pairsRight } = hardContrast(image, texts.slice(0, 0, 2), texts.slice(0, 2, 4), constant(2));
  // Similarities times 2: picture 0 [2, 0, 1.2, -2], picture 1 [0, 2, 1.6, 0]; the changed captions are columns 2 and 3.
  const feeds = { image: [1, 0, 0, 1], texts: [1, 0, 0, 1, 0.6, 0.8, -1, 0] };
  const row = (own: number, all: number[]): number => Math.log(all.reduce((sum, x) => sum + Math.exp(x), 0)) - own;
  const toText = (row(2, [2, 0, 1.2, -2]) + row(2, [0, 2, 1.6, 0])) / 2;
  const toImage = (row(2, [2, 0]) + row(2, [0, 2])) / 2; // changed captions have no picture
  const [c, p, right] = run([contrast, pairs, pairsRight], feeds).map((v) => v[0]!);
  expect(c).toBeCloseTo((toText + toImage) / 2, 12);
  expect(p).toBeCloseTo((Math.log1p(Math.exp(1.2 - 2)) + Math.log1p(Math.exp(0 - 2))) / 2, 12);
  expect(right).toBe(1);
});

test("a changed caption that is nearer counts as wrong, and pulling it away is what the gradient asks for", () => {
  const { pairs, pairsRight } = hardContrast(image, texts.slice(0, 0, 2), texts.slice(0, 2, 4), constant(2));
  const feeds = { image: [1, 0, 0, 1], texts: [0, 1, 0, 1, 1, 0, -1, 0] };
  const [right, slope] = run([pairsRight, gradients(pairs, [texts])[0]!], feeds);
  expect(right![0]).toBe(0.5);
  expect(slope![4]).toBeGreaterThan(0.4); // the first picture's changed caption, along the picture
  expect(slope![0]).toBeCloseTo(-slope![4]!, 12);
});

test("large differences neither overflow nor lose their slope", () => {
  const { pairs } = hardContrast(image, texts.slice(0, 0, 2), texts.slice(0, 2, 4), constant(1e4));
  const feeds = { image: [1, 0, 0, 1], texts: [-1, 0, 0, 1, 1, 0, 0, -1] };
  const [loss] = run([pairs], feeds);
  expect(loss![0]).toBeCloseTo(1e4, 6); // (2e4 + 0) / 2
});

test("each picture needs a changed caption", () => {
  expect(() => hardContrast(image, image, input("three", [3, 2]), constant(1))).toThrow(
    "hardContrast: expected 2 captions for 2 pictures, got 3.",
  );
});
