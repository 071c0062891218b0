/** Values computed with COCO's caption evaluation (test/fixtures/metric-fixtures.json). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bleu } from "./bleu.ts";
import { ciderD } from "./cider-d.ts";
import { rougeL } from "./rouge-l.ts";

interface Case {
  readonly gts: Readonly<Record<string, string[]>>;
  readonly res: Readonly<Record<string, string[]>>;
  readonly expect: Readonly<Record<string, number | number[] | number[][]>>;
}
const fixtures = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/metric-fixtures.json", import.meta.url), "utf8"),
) as Record<string, Case>;

test.each(["three refs", "one ref", "repeats and length"])("COCO's values: %s", (name) => {
  const { gts, res, expect: values } = fixtures[name]!;
  const pairs = Object.keys(gts).map((id) => ({ candidate: res[id]![0]!, references: gts[id]! }));
  const near = (got: readonly number[], wanted: unknown): void =>
    (wanted as number[]).forEach((value, i) => {
      expect(got[i]).toBeCloseTo(value, 12);
    });
  near(bleu(pairs).corpus, values.bleu);
  const each = values.bleuEach as number[][];
  each.forEach((list, n) => {
    near(
      bleu(pairs).each.map((scores) => scores[n]!),
      list,
    );
  });
  near([ciderD(pairs).score], [values.ciderD]);
  near(ciderD(pairs).each, values.ciderEach);
  near([rougeL(pairs).score], [values.rougeL]);
  near(rougeL(pairs).each, values.rougeEach);
});

test("nothing to compare, or nothing to compare with, is refused", () => {
  expect(() => bleu([])).toThrow("expected at least one caption");
  expect(() => rougeL([{ candidate: "a cat", references: [] }])).toThrow("references for caption 0");
});

test("an empty caption scores next to nothing, and an empty reference does not divide by zero", () => {
  const pairs = [
    { candidate: "", references: ["a cat"] },
    { candidate: "a dog", references: ["", "a dog"] },
  ];
  expect(rougeL(pairs).each).toEqual([0, 1]);
  expect(ciderD(pairs).each[0]).toBe(0);
  expect(bleu(pairs).each[0]![0]).toBeLessThan(1e-6);
});
