import picomatch from "picomatch";
import { expect, test } from "vitest";
import { acceptBy, conditionOf, withoutLookahead } from "./filter.ts";

const PATHS = [
  "a.png",
  "a/b.png",
  "a/.b/c.png",
  "photos/2024/é's.jpg",
  "2024/x1.png",
  "b/2024",
  "../a.png",
  "a/b/x7.png",
];
const GLOBS = [
  "**/2024/**",
  "**/*.png",
  "*.png",
  "!a/**",
  "{a,b}/**/x[0-9].png",
  "a?(b)/b.png",
  "**",
  "photos/*/é*",
  "[!a]*/**",
];

test("every path that a glob accepts meets the condition, which leaves out others", () => {
  let left = 0;
  for (const glob of GLOBS) {
    const condition = new RegExp(withoutLookahead(picomatch.makeRe(glob, { dot: true }).source));
    const matches = picomatch(glob, { dot: true });
    for (const path of PATHS) {
      if (matches(path)) expect([glob, path, condition.test(path)]).toEqual([glob, path, true]);
      if (!condition.test(path)) left++;
    }
    expect(condition.source).not.toMatch(/\(\?[=!]/);
  }
  expect(left).toBeGreaterThan(20);
});

test("dates count from the first moment, up to the second", () => {
  const accept = acceptBy({ path: "*.png", since: 10, until: 20 })!;
  const at = (changedMs: number, path = "a.png"): boolean => accept({ path, sizeBytes: 1, changedMs });
  expect([at(9), at(10), at(19), at(20), at(15, "a.jpg")]).toEqual([false, true, true, false, false]);
  expect(acceptBy({})).toBeUndefined();
});

test("quotes of a glob stay within the text of the condition", () => {
  expect(conditionOf({ path: "é's", since: 5, until: 7 })).toBe(
    "regexp_like(path, '^(?:^(?:é''s)$)$') AND `changedMs` >= 5 AND `changedMs` < 7",
  );
  expect(conditionOf({})).toBeUndefined();
});
