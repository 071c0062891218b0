/** What `npm run bench` says of numbers that moved. */
import { expect, test } from "vitest";

const { changes, vendor } = (await import(new URL("../bench/lib/report.mjs", import.meta.url).href)) as {
  changes: (before: string, after: string) => string[];
  vendor: (model: string) => string;
};

const before = `
| side   | ms a picture | ratio               |
| ------ | ------------ | ------------------- |
| ours   | 100          | **1.00** (0.9 to 1) |
| theirs | 120 / 130    |                     |
`;

test("only numbers that moved by more than a tenth are reported, by row and column", () => {
  expect(changes(before, before)).toEqual([]);
  expect(changes(before, before.replace("100", "109").replace("120", "60"))).toEqual([
    "  theirs, ms a picture: 120 / 130 -> 60 / 130 (x 0.50)",
  ]);
  expect(changes(before, before.replace("**1.00**", "**1.50**"))).toEqual([
    "  ours, ratio: **1.00** (0.9 to 1) -> **1.50** (0.9 to 1) (x 1.50)",
  ]);
  expect(changes("", before)).toEqual([]);
});

test("makers of processors", () => {
  expect(["AMD EPYC 9B14", "Intel(R) Xeon(R)", "Apple M2", "Neoverse"].map((name) => vendor(name))).toEqual([
    ...["AMD", "Intel", "Apple", "Other processors"],
  ]);
});
