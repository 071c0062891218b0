/** Scores, ratios, verdicts and pages from made-up arms in a temporary folder. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { encodePng } from "../../image/index.ts";
import { readArms, type StoredValue } from "./arms.ts";
import { CLAIMS, judge, verdictOf } from "./claims.ts";
import { readDiscussions } from "./discussions.ts";
import { paperHtml } from "./html.ts";
import { paperMarkdown } from "./markdown.ts";
import { ratioOf, scoreOf } from "./scores.ts";
import { TABLES } from "./tables.ts";
import { paperView } from "./view.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-arms-"));
});
afterEach(() => rm(folder, { recursive: true }));

type Results = Record<string, Record<string, StoredValue>>;

async function put(path: string, own: Record<string, unknown>): Promise<void> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  const base = { format: "seedling-arm-1", seed: 1, command: "seedling train x && seedling eval y" };
  await writeFile(file, JSON.stringify({ ...base, ...own }));
}
const arm = (table: string, id: string, results: Results, more: Record<string, unknown> = {}): Promise<void> =>
  put(`${table}/${id}-${more["losses"] ?? "ours"}-${more["seed"] ?? 1}.json`, { table, arm: id, results, ...more });

/** Scores of examples around a mean, the same noise for each call with the same seed. */
function scores(mean: number, count = 400, seed = 1): { each: number[] } {
  const rng = new Rng(seed);
  return { each: Array.from({ length: count }, () => mean + 10 * (rng.next() - 0.5)) };
}
const rows = (hits: (i: number) => number): StoredValue => ({
  rows: Array.from({ length: 200 }, (_, i) => [1, hits(i), 1, 1, 1, hits(i), 1, 1]),
  statistic: "recall",
});
const view = async () => paperView(await readArms(folder));
const R1000 = "test, 1,000 candidates";

test("without any arm every table says so", async () => {
  const { claims, tables } = await view();
  expect(new Set(claims.map(({ verdict }) => verdict))).toEqual(new Set(["not run"]));
  expect(tables.map(({ sets }) => sets.length)).toEqual([1, 1, 1, 1, 1]);
  const text = paperMarkdown({ claims, tables }, { folder, discussions: {}, command: "seedling paper" });
  expect(text).toContain(
    "| causal embeddings, published losses | not run | not run |  | R@mean 93.7 Flickr30K, 80.7 COCO |",
  );
  expect(text).toContain("reproduced: 0, not reproduced: 0, reversed: 0, not run: 11.");
});

test("recalls of rows, all seven; codes keep what they keep, paired", async () => {
  const published = { losses: "published" };
  await arm("retrieval", "bilateral-embeddings", { [R1000]: { recall: rows((i) => Number(i % 10 !== 0)) } }, published);
  await arm("retrieval", "causal-embeddings", { [R1000]: { recall: rows((i) => Number(i % 20 !== 0)) } }, published);
  await arm(
    "retrieval",
    "causal-codes",
    { [R1000]: { recall: rows((i) => Number(i % 20 !== 0 && i % 50 !== 1)) } },
    published,
  );
  const { claims, tables } = await view();
  const [mask, keep] = ["causal-mask", "codes-keep-1000"].map((id) => claims.find(({ claim }) => claim.id === id)!);
  expect(mask!.arm!.mean).toBeCloseTo((2 * 95 + 400) / 6, 10);
  expect(mask!.ratio).toMatchObject({ paired: true });
  expect(mask!.ratio!.mean).toBeCloseTo((2 * 95 + 400) / (2 * 90 + 400), 10);
  expect(mask).toMatchObject({ verdict: "reproduced", goal: "reached" });
  expect(keep).toMatchObject({ verdict: "reproduced", goal: "reached" });
  const row = tables[0]!.sets[0]!.rows.find(({ row: own }) => own.id === "causal-codes" && own.losses === "published")!;
  expect(row.scores["i2t R@1"]!.mean).toBe(93);
  expect(row.scores["t2i R@5"]!.mean).toBe(100);
  expect(row.seeds).toEqual([1]);
});

test("several seeds count together; the ratio is of those that both have", async () => {
  const set = "test";
  for (const seed of [1, 2, 3])
    await arm("understanding", "codes", { [set]: { "CIDEr-D": scores(90 + seed, 400, seed) } }, { seed });
  for (const seed of [1, 2])
    await arm("understanding", "continuous", { [set]: { "CIDEr-D": scores(100, 400, seed) } }, { seed });
  const all = await readArms(folder);
  const of = (id: string) => all.filter((one) => one.arm === id);
  const score = scoreOf(of("codes"), set, "CIDEr-D")!;
  expect(score.mean).toBeCloseTo(92, 0);
  expect(score.seeds.map(({ seed, mean }) => [seed, Math.round(mean)])).toEqual([
    [1, 91],
    [2, 92],
    [3, 93],
  ]);
  const ratio = ratioOf(of("codes"), of("continuous"), set, "CIDEr-D")!;
  expect(ratio.mean).toBeCloseTo(0.915, 2);
  expect(ratio.high! - ratio.low!).toBeLessThan(0.01);
  expect(judge(CLAIMS.find(({ id }) => id === "captions")!, all)).toMatchObject({
    verdict: "reproduced",
    goal: "missed",
  });
});

test("shares have Wilson's interval and a ratio of their own; bare numbers have no interval", async () => {
  const set = "5,000 prompts";
  await arm("causality", "causal-codes", { [set]: { "whole pictures": { right: 4997, count: 5000 } } });
  await arm("causality", "bilateral-codes", { [set]: { "whole pictures": { right: 2134, count: 5000 } } });
  const all = await readArms(folder);
  const { arm: own, ratio, verdict, goal } = judge(CLAIMS.find(({ id }) => id === "causality")!, all);
  expect(own!.mean).toBeCloseTo(99.94, 10);
  expect(own!.low).toBeCloseTo(99.824, 2);
  expect(own!.high).toBeCloseTo(99.98, 2);
  expect(ratio!.mean).toBeCloseTo(2.3416, 3);
  expect(ratio!.low).toBeGreaterThan(2.25);
  expect(verdict).toBe("reproduced");
  expect(goal).toBe("missed"); // 5,000 of 5,000
  await arm("generation", "codes-ours", { test: { "judge similarity": { mean: 70 } } });
  await arm("generation", "caption", { test: { "judge similarity": { mean: 80 } } });
  const bare = judge(CLAIMS.find(({ id }) => id === "pictures-caption")!, await readArms(folder));
  expect(bare).toMatchObject({ ratio: { mean: 0.875, paired: false }, verdict: "not reproduced" });
  expect(bare.ratio!.low).toBeUndefined();
});

test.each([
  ["beats", 1.2, { mean: 1.1, low: 1.01, high: 1.2 }, "reproduced"],
  ["beats", 1.2, { mean: 1.1, low: 0.99, high: 1.2 }, "not reproduced"],
  ["beats", 1.2, { mean: 0.9, low: 0.8, high: 0.99 }, "reversed"],
  ["keeps", 0.9, { mean: 0.89, low: 0.86, high: 0.91 }, "reproduced"],
  ["keeps", 0.9, { mean: 0.95, low: 0.93, high: 0.97 }, "reproduced"],
  ["keeps", 0.9, { mean: 0.89, low: 0.8, high: 0.98 }, "not reproduced"],
  ["keeps", 0.9, { mean: 0.8, low: 0.79, high: 0.81 }, "not reproduced"],
  ["keeps", 1, { mean: 0.97, low: 0.95, high: 0.99 }, "reversed"],
  ["keeps", 1, { mean: 0.99, low: 0.97, high: 1.01 }, "reproduced"],
] as const)("%s %f: %j is %s", (kind, paper, ratio, verdict) => {
  expect(verdictOf({ kind, paper }, { ...ratio, paired: true })).toBe(verdict);
});

test("claims and tables go together", () => {
  for (const { id, table, set, metric, arm: own, twin, losses = "ours" } of CLAIMS) {
    const found = TABLES.find((one) => one.id === table)!;
    expect(found.sets, id).toContain(set);
    expect(found.metrics, id).toContain(metric);
    for (const name of [own, twin])
      expect(
        found.arms.some((row) => row.id === name && (row.losses ?? "ours") === losses),
        `${id} ${name}`,
      ).toBe(true);
  }
});

test("pages with sheets, bars, commands and discussions", async () => {
  const png = await encodePng({ width: 2, height: 2, data: new Uint8Array(12) });
  await mkdir(join(folder, "generation"));
  await writeFile(join(folder, "generation/codes.png"), png);
  const sheets = [{ file: "codes.png", caption: "16 scenes & <more>" }];
  await arm("generation", "codes-ours", { test: { "judge similarity": scores(70) } }, { sheets, budget: { hours: 2 } });
  await arm("generation", "caption", { test: { "judge similarity": scores(66) } });
  await arm("generation", "other-codes", { test: { "judge similarity": scores(40) } });
  await mkdir(join(folder, "discussion"));
  await writeFile(join(folder, "discussion/pictures-caption.md"), "The caption names objects only.\n");
  const discussions = await readDiscussions(folder);
  const own = await view();
  const text = paperMarkdown(own, { folder, discussions, command: "seedling paper" });
  expect(text).toContain("| 1: reached | reproduced |");
  expect(text).toContain(
    "**pictures from codes are as near to the original as pictures from the caption** (reproduced). The caption names",
  );
  expect(text).toContain("![codes, ours: 16 scenes & <more>](generation/codes.png)");
  expect(text).toContain("| _codes of another picture_ | 39.9 (39.6 to 40.2) | 0.605 (0.604 to 0.607) | 1 |");
  expect(text).toContain("`seedling train x && seedling eval y`");
  const html = await paperHtml(own, { discussions });
  expect(html).toContain("data:image/png;base64,");
  expect(html).toContain("16 scenes &amp; &lt;more&gt;");
  expect(html).toContain('<canvas id="bars-0"');
  expect(html).toContain('class="reproduced"');
  expect(html).not.toMatch(/(src|href)="https?:/);
  expect(JSON.parse(/id="data">(.*?)<\/script>/s.exec(html)![1]!)).toMatchObject([
    { metric: "judge similarity", labels: ["codes, ours", "picture from the caption", "codes of another picture"] },
  ]);
});

test("files that are wrong are named", async () => {
  await put("a.json", { table: "retrieval", arm: "causal-codes", results: {}, note: "x" });
  await expect(readArms(folder)).rejects.toThrow('a.json: unknown key "note"');
  await put("a.json", { table: "retrieval", arm: "causal-codes", results: {} });
  await put("b.json", { table: "retrieval", arm: "causal-codes", results: {} });
  await expect(readArms(folder)).rejects.toThrow("expected one file of retrieval causal-codes ours 1, got two");
  await put("b.json", { table: "retrieval", arm: "causal-codes", seed: 2, results: { test: { x: { each: [] } } } });
  await expect(readArms(folder)).rejects.toThrow("b.json: results.test.x");
  await put("b.json", { table: "retrieval", arm: "x", results: {}, sheets: [{ file: "no.png", caption: "" }] });
  await expect(readArms(folder)).rejects.toThrow("expected the sheet no.png, found none");
  await mkdir(join(folder, "discussion"));
  await writeFile(join(folder, "discussion/other.md"), "x");
  await expect(readDiscussions(folder)).rejects.toThrow("expected one of causal-mask");
});
