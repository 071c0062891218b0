import { expect, test } from "vitest";
import { quote, reason, show } from "./one-line.ts";

test("quote keeps a hostile name on one line and short", () => {
  expect(quote("a\nb\u2028c")).toBe('"a\\nb\\u2028c"');
  expect(quote("x".repeat(100), 5)).toBe('"xxxxx..."');
});

test("reason is the first line of an error, without its full stop", () => {
  expect(reason(new Error("Premature end of file.\nVipsJpeg: more"))).toBe("Premature end of file");
  expect(reason("plain")).toBe("plain");
});

test("show names a value without trusting it", () => {
  const hostile = { toString: 1, valueOf: 1 };
  expect([1.5, null, undefined, true, "a\n", [1, 2], hostile].map((v) => show(v))).toEqual([
    "1.5",
    "null",
    "undefined",
    "true",
    '"a\\n"',
    "a list of 2",
    "an object",
  ]);
});
