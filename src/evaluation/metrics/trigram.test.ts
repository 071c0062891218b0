import { expect, test } from "vitest";
import { Trigram } from "./trigram.ts";

test("Witten-Bell by hand", () => {
  const model = new Trigram(4);
  model.learn([1, 2, 1, 2, 3]);
  // Single tokens: 1 twice, 2 twice, 3 once; 3 kinds of 5. Then what follows a 2: 1 once, 3 once; then what follows 1 2.
  const alone = (2 + 3 / 4) / 8;
  expect(model.probability([1], 0)).toBeCloseTo(alone, 12);
  const afterTwo = (1 + 2 * alone) / 4;
  expect(model.probability([2, 1], 1)).toBeCloseTo(afterTwo, 12);
  expect(model.probability([1, 2, 1], 2)).toBeCloseTo((1 + 2 * afterTwo) / 4, 12);
});

test("probabilities add up to 1 after any context, known or not", () => {
  const model = new Trigram(6);
  model.learn([1, 2, 1, 2, 3, 0, 0, 5]);
  for (const before of [[], [2], [4], [1, 2], [4, 4], [4, 2], [0, 0]]) {
    const sum = Array.from({ length: 6 }, (_, id) => model.probability([...before, id], before.length));
    expect(sum.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  }
});

test("what it learned is likelier than chance", () => {
  const model = new Trigram(100);
  const text = Array.from({ length: 200 }, (_, i) => i % 7);
  model.learn(text);
  expect(model.nats([text])).toBeLessThan(0.3);
  expect(new Trigram(100).nats([text])).toBeCloseTo(Math.log(100), 12);
  expect(model.nats([])).toBe(0);
});
