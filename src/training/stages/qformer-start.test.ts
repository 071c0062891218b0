import { readFile } from "node:fs/promises";
import { beforeAll, expect, test } from "vitest";
import { input } from "../../graph/index.ts";
import { parseSeedlingConfig, type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { vitTokens } from "../../models/eva-vit.ts";
import { causalEmbeddings, draftLatents, visionContext } from "../../models/seed-tokenizer.ts";
import { firstQueries } from "./qformer-start.ts";

type Json = Record<string, Record<string, unknown>>;

let model: Json;
beforeAll(async () => {
  model = (JSON.parse(await readFile("test/recipes/model.json", "utf8")) as { model: Json }).model;
});

/** Eight by eight patches and cells, a tower as wide as the Q-Former; and changes. */
function sizes(changes: object = {}): SeedlingConfig {
  const vision = { imageSize: 32, patchSize: 4, width: 16, depth: 1, heads: 2, mlpHidden: 16 };
  const draft = { channels: 6, size: 8, cell: 1, layers: 1 };
  const textEncoder = { ...model["textEncoder"], vocabulary: 9 };
  const json = { ...model, textEncoder, vision, draft, ...changes };
  return parseSeedlingConfig(json, "model.json");
}

const stage = (config: SeedlingConfig, drafts = true): Parameters<typeof firstQueries>[0] => ({
  build(p, B) {
    const seed = seedConfig(config);
    const tokens = input("tokens", [B, vitTokens(seed.vision), seed.vision.width]);
    const y = causalEmbeddings(p, visionContext(p, tokens, seed), seed);
    return { loss: drafts ? draftLatents(p, y, seed).mean() : y.mean() };
  },
});
const settings = { seed: 3, sharpness: 2, regions: true };
const row = (values: Float32Array, i: number, width = 16): Float32Array => values.subarray(i * width, (i + 1) * width);
const cosine = (a: Float32Array, b: Float32Array): number => {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

test("without regions only cross-attention begins from scratch", () => {
  const values = firstQueries(stage(sizes()), sizes(), { ...settings, regions: false }, "recipe.json");
  expect(values.size).toBeGreaterThan(7);
  for (const path of values.keys()) expect(path).toMatch(/crossattention/);
});

test("queries resemble the positions of their region, and cells the vectors whose regions hold them", () => {
  const config = sizes();
  const values = firstQueries(stage(config), config, settings, "recipe.json");
  const [positions, queries] = [values.get("vision_positions")!, values.get("query_tokens")!];
  expect([positions.length, queries.length]).toEqual([65 * 16, 32 * 16]);
  // Query 1 is about the upper left quarter: patch (y, x) is token 1 + 8 y + x.
  const near = Array.from({ length: 64 }, (_, i) => cosine(row(queries, 1), row(positions, 1 + i)));
  const inside = (i: number): boolean => i % 8 < 4 && i < 32;
  expect(mean(near.filter((_, i) => inside(i)))).toBeGreaterThan(mean(near.filter((_, i) => !inside(i))) + 0.1);
  // Queries 5 to 20 are about sixteenths: four patches each.
  for (const [k, corner] of [
    [5, 0],
    [20, 54],
  ] as const) {
    const own = [corner, corner + 1, corner + 8, corner + 9];
    expect(mean(own.map((i) => cosine(row(queries, k), row(positions, 1 + i)))), `${k}`).toBeGreaterThan(0.3);
  }
  const [spoken, cells] = [values.get("draft.positions")!, values.get("draft.queries")!];
  expect([spoken.length, cells.length]).toEqual([32 * 16, 64 * 16]);
  // The first cell is within quarter 1 and sixteenth 5, and the small region counts more.
  const heard = Array.from({ length: 32 }, (_, k) => cosine(row(cells, 0), row(spoken, k)));
  expect(heard.indexOf(Math.max(...heard))).toBe(5);
  const again = firstQueries(stage(config), config, settings, "recipe.json");
  expect([...again.keys()]).toEqual([...values.keys()]);
  for (const [path, value] of again) expect(value).toEqual(values.get(path));
});

test("without drafts the head has no first values, and need not fit", () => {
  const config = sizes({ draft: { channels: 6, size: 8, cell: 4, layers: 1 } });
  const values = firstQueries(stage(config, false), config, settings, "recipe.json");
  expect([...values.keys()].filter((path) => path.startsWith("draft"))).toEqual([]);
  expect(values.has("query_tokens")).toBe(true);
});

test("sizes that do not allow regions are refused", () => {
  const refused = (changes: object): (() => unknown) => {
    const config = sizes(changes);
    return () => firstQueries(stage(config), config, settings, "recipe.json");
  };
  const wanted =
    "recipe.json: regions: expected contextPositions, a tower as wide as the Q-Former and a multiple of 8 patches a side in model.json. Leave regions out.";
  const vision = { imageSize: 32, patchSize: 4, width: 16, depth: 1, heads: 2, mlpHidden: 16 };
  expect(refused({ contextPositions: undefined })).toThrow(wanted);
  expect(refused({ vision: { ...vision, width: 12 } })).toThrow(wanted);
  expect(refused({ vision: { ...vision, patchSize: 8 } })).toThrow(wanted);
  expect(refused({ draft: { channels: 6, size: 8, cell: 4, layers: 1 } })).toThrow(
    "recipe.json: regions: expected as many cells in draft as patches, 64, got 4.",
  );
});
