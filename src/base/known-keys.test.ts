import { expect, test } from "vitest";
import { expectKnownKeys } from "./known-keys.ts";

const check = (settings: object) => () =>
  expectKnownKeys(Object.entries(settings), "config.json", (key) => ["width", "note"].includes(key));

test("known keys and keys without a value pass", () => {
  expect(check({ width: 3, note: { any: 1 } })).not.toThrow();
  expect(check({ a: null, b: false, c: {}, d: [], e: "" })).not.toThrow();
});

test("other keys are named, the first three with their values", () => {
  expect(check({ width: 3, scale: 2, mode: "x" })).toThrow(
    'config.json: expected known settings, got "scale" = 2, "mode" = "x". Remove what does not change the model\'s results; the rest is not supported.',
  );
  expect(check({ a: 1, b: true, c: 0, d: 4, e: [1] })).toThrow('"a" = 1, "b" = true, "c" = 0 and 2 more.');
});
