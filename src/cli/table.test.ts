import { expect, test } from "vitest";
import { formatTable } from "./table.ts";

test("columns are aligned, those with numbers to the right", () => {
  const rows = [
    ["", "value", "of"],
    ["R@1", 84.5, "text"],
    ["perplexity", "5003", ""],
  ];
  expect(formatTable(rows, "  ")).toEqual([
    "              value  of",
    "  R@1          84.5  text",
    "  perplexity   5003",
  ]);
  expect(formatTable([])).toEqual([]);
});
