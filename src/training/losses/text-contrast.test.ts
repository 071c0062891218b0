import { expect, test } from "vitest";
import { constant, input } from "../../graph/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { contrast } from "./contrast.ts";
import { hardContrast } from "./hard-negatives.ts";
import { textContrast } from "./text-contrast.ts";

const [image, caption, changed] = ["image", "caption", "changed"].map((name) => input(name, [2, 2]));
const temperature = constant(0.5);
const weights = { contrast: 2, pairs: 3 };
const feeds = { image: [1, 0, 0, 1], caption: [0.8, 0.6, 0, 1], changed: [1, 0, -0.6, 0.8] };
const first = (...outputs: Parameters<typeof evaluate>[0]): number[] =>
  evaluate(outputs, { feeds }).map(({ data }) => data[0]!);

test("without changed captions: the published contrast and no pairs", () => {
  const { terms, metrics } = textContrast({ image: image!, caption: caption! }, temperature, weights, 0.1);
  expect(terms.map(([name, , weight]) => [name, weight])).toEqual([["contrast", 2]]);
  expect(metrics).toEqual({});
  const published = contrast({ image: image!, text: caption! }, temperature, { smoothing: 0.1 }).loss;
  const [got, wanted] = first(terms[0]![1], published);
  expect(got).toBe(wanted);
});

test("with changed captions: hard negatives at the inverse temperature, and which pictures are nearer to their own", () => {
  const features = { image: image!, caption: caption!, changed: changed! };
  const { terms, metrics } = textContrast(features, temperature, weights, 0);
  expect(terms.map(([name, , weight]) => [name, weight])).toEqual([
    ["contrast", 2],
    ["pairs", 3],
  ]);
  const hard = hardContrast(image!, caption!, changed!, constant(2), 0);
  const [contrasted, pairs, right, sameContrast, samePairs] = first(
    ...[terms[0]![1], terms[1]![1], metrics["pairsRight"]!],
    ...[hard.contrast, hard.pairs],
  );
  expect(contrasted).toBeCloseTo(sameContrast!, 12);
  expect(pairs).toBeCloseTo(samePairs!, 12);
  expect(right).toBe(0.5); // the first picture is nearer to its changed caption
});

test("without changed captions and smoothing it is the loss of CLIP: softmax over the batch in both directions", () => {
  const { terms } = textContrast({ image: image!, caption: caption! }, temperature, weights, 0);
  const own = { image: [1, 0, 0.6, 0.8], caption: [0.8, 0.6, 0, 1] };
  const logits = [
    [1.6, 0],
    [1.92, 1.6],
  ]; // twice the similarities of pictures (rows) and captions
  const entropy = (of: number, all: number[]): number => Math.log(all.reduce((sum, x) => sum + Math.exp(x), 0)) - of;
  const toText = (entropy(1.6, logits[0]!) + entropy(1.6, logits[1]!)) / 2;
  const toImage = (entropy(1.6, [1.6, 1.92]) + entropy(1.6, [0, 1.6])) / 2;
  const [got] = evaluate([terms[0]![1]], { feeds: own });
  expect(got!.data[0]).toBeCloseTo((toText + toImage) / 2, 12);
});
