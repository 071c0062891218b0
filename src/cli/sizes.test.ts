import { expect, test } from "vitest";
import { formatBytes, formatCount } from "./sizes.ts";

test("sizes keep three digits and never show a thousand of a unit", () => {
  expect([0, 999, 1000, 1234, 999_499, 999_500, 4.6e9, 3e15].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.00 kB",
    "1.23 kB",
    "999 kB",
    "1.00 MB",
    "4.60 GB",
    "3000 TB",
  ]);
  expect([7, 307_128_207, 1_149_999_040].map(formatCount)).toEqual(["7", "307 M", "1.15 B"]);
});
