import { expect, test } from "vitest";
import { quote, reason } from "./one-line.ts";

test("quote keeps a hostile name on one line and short", () => {
  expect(quote("a\nb\u2028c")).toBe('"a\\nb\\u2028c"');
  expect(quote("x".repeat(100), 5)).toBe('"xxxxx..."');
});

test("reason is the first line of an error, without its full stop", () => {
  expect(reason(new Error("Premature end of file.\nVipsJpeg: more"))).toBe("Premature end of file");
  expect(reason("plain")).toBe("plain");
});
