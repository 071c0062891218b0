import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { input } from "../../graph/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { autoencoderLoss, autoencoderTerms, noisyForDecoder } from "./autoencoder.ts";

test("terms of a 2 x 2 picture, worked by hand", () => {
  const terms = autoencoderTerms(input("a", [1, 1, 2, 2]), input("b", [1, 1, 2, 2]));
  const feeds = { a: [1, 0, 0, 0], b: [0, 0, 0, 1], z: [2, 0] };
  const loss = autoencoderLoss(terms, input("z", [1, 1, 1, 2]));
  const [absolute, squared, gradient, whole] = evaluate([terms.absolute, terms.squared, terms.gradient, loss], {
    feeds,
  }).map(({ data }) => data[0]!);
  // The error is [1, 0; 0, -1]: all four differences between neighbors are -1.
  expect([absolute, squared, gradient]).toEqual([0.5, 0.5, 1]);
  expect(whole).toBeCloseTo(0.5 + 1 + 0.5 + 2e-4, 9);
});

test("noise comes in units of the channel's deviation, through which no gradient flows", () => {
  const z = input("z", [1, 2, 1, 2]);
  const noisy = noisyForDecoder(z, input("noise", [1, 2, 1, 2]));
  const feeds = { z: [0, 2, 10, 30], noise: [1, 0, 0, -0.5] };
  const [out, slope] = evaluate([noisy, gradients(noisy.sum(), [z])[0]!], { feeds });
  expect([...out!.data]).toEqual([1, 2, 10, 25]); // deviations 1 and 10
  expect([...slope!.data]).toEqual([1, 1, 1, 1]);
});
