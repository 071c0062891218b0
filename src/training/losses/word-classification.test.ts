import { expect, test } from "vitest";
import { input, Params, paramAttrs } from "../../graph/index.ts";
import { initialValues } from "../../nn/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { wordClassificationLoss, wordShares, wordWeights } from "./word-classification.ts";

// [CLS] 2, [SEP] 3, [PAD] 0; words 4..7.
const ids = Int32Array.of(2, 4, 5, 3, 2, 4, 4, 3, 2, 4, 6, 3);

test("rare words count more, special tokens and words of every caption next to nothing", () => {
  const weights = wordWeights(ids, 3, 8);
  expect([...weights.subarray(0, 5)]).toEqual([0, 0, 0, 0, 0]);
  expect(weights[5]).toBeCloseTo(Math.log(2), 6);
  expect(weights[7]).toBeCloseTo(Math.log(4), 6); // in none of them
});

test("shares of a caption's words sum to 1, each word once", () => {
  const shares = wordShares(ids, 3, Float32Array.of(0, 0, 0, 0, 1, 3, 0, 2));
  expect([...shares.subarray(0, 8)]).toEqual([0, 0, 0, 0, 0.25, 0.75, 0, 0]);
  expect([...shares.subarray(8, 16)]).toEqual([0, 0, 0, 0, 1, 0, 0, 0]);
  expect(wordShares(Int32Array.of(2, 3), 1, new Float32Array(8))).toEqual(new Float32Array(8));
});

test("one token that is sure of a word is enough, however many are not", () => {
  const p = new Params();
  const loss = wordClassificationLoss(p, input("tokens", [1, 5, 2]), input("shares", [1, 2]));
  const sure = 40; // logit of the first word at the first token, negated where the sign is
  const params = (path: string): Float32Array => {
    if (path.endsWith("words.weight")) return Float32Array.of(sure, 0, 0, 0);
    const { shape, init } = paramAttrs(p.declared().get(path)!);
    return initialValues(path, shape, init, 1);
  };
  const blank = [0, 0, 0, 0, 0, 0, 0, 0];
  const value = (tokens: number[], shares: number[]): number =>
    evaluate([loss], { feeds: { tokens: [...tokens, ...blank], shares }, params })[0]!.data[0]!;
  expect(value([1, -1], [1, 0])).toBeCloseTo(0, 5);
  expect(value([1, -1], [0, 1])).toBeCloseTo(sure - Math.log(5), 2);
  expect(value([-1, 1], [1, 0])).toBeCloseTo(Math.log(4 + 5) - Math.log(4), 5); // the other tokens do not count
});

test("the loss is the cross entropy with the shares", () => {
  const p = new Params();
  const loss = wordClassificationLoss(p, input("tokens", [1, 2, 4]), input("shares", [1, 3]));
  const params = (path: string): Float32Array => {
    const { shape, init } = paramAttrs(p.declared().get(path)!);
    return path.endsWith("words.weight") ? new Float32Array(12) : initialValues(path, shape, init, 1);
  };
  const feeds = { tokens: [1, 2, 3, 4, 4, 3, 2, 0], shares: [0.25, 0.75, 0] };
  expect(evaluate([loss], { feeds, params })[0]!.data[0]).toBeCloseTo(Math.log(3), 6);
});
