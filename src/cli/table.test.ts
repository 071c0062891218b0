import { expect, test } from "vitest";
import { formatTable } from "./table.ts";

test("columns are aligned, those of numbers to the right", () => {
  const rows = [
    ["R@1", 84.5, "%"],
    ["perplexity", 5003, ""],
  ];
  expect(formatTable(rows, "  ")).toEqual(["  R@1         84.5  %", "  perplexity  5003"]);
  expect(formatTable([])).toEqual([]);
});
