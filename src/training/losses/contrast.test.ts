import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { constant, input, type Tensor } from "../../graph/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { type ContrastOptions, contrast } from "./contrast.ts";

const image = input("image", [2, 2]);
const text = input("text", [2, 2]);
const feeds = { image: [1, 0, 0, 1], text: [0.6, 0.8, 0, 1] };

function value(t: Tensor): number[] {
  return Array.from(evaluate([t], { feeds })[0]!.data);
}

function slopes(options: ContrastOptions): number[] {
  const { imageToText } = contrast({ image, text }, constant(0.5), options);
  return value(gradients(imageToText.sum(), [text])[0] ?? constant(0).expand([2, 2]));
}

test("the loss is the smoothed cross entropy of both directions, by hand", () => {
  const { loss, imageToText, textToImage } = contrast({ image, text }, constant(0.5), { smoothing: 0.2 });
  const close = (x: number): unknown => expect.closeTo(x, 6);
  expect(value(imageToText)).toEqual([1.2, 0, 1.6, 2].map(close)); // rows times columns, divided by 0.5
  expect(value(textToImage)).toEqual([1.2, 1.6, 0, 2].map(close));
  const row = (right: number, wrong: number): number => {
    const total = Math.log(Math.exp(right) + Math.exp(wrong));
    return -(0.9 * (right - total) + 0.1 * (wrong - total)); // 1 - 0.2 + 0.2/2 and 0.2/2
  };
  const expected = (row(1.2, 0) + row(2, 1.6) + row(1.2, 1.6) + row(2, 0)) / 4;
  expect(value(loss)[0]).toBeCloseTo(expected, 6);
});

test("official: no gradient reaches the columns; both-sides: it does", () => {
  expect(slopes({ gather: "official" })).toEqual([0, 0, 0, 0]);
  expect(slopes({ gather: "both-sides" })).toEqual([2, 2, 2, 2]);
});

test("row b of a process belongs to column first + b of the gathered features", () => {
  const all = constant(Float32Array.of(0, 1, 1, 0, 0, 1), [3, 2]);
  const at = (first: number): number =>
    value(
      contrast({ image, text: image }, constant(0.1), { smoothing: 0, gathered: { image: all, text: all, first } })
        .loss,
    )[0]!;
  const aligned = (Math.log1p(2 * Math.exp(-10)) + Math.log(2 + Math.exp(-10))) / 2; // rows 1 and 2 of `all` are the pairs
  expect(at(1)).toBeCloseTo(aligned, 6);
  expect(at(0)).toBeGreaterThan(5);
});
