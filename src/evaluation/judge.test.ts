/** A judge learns on the committed sprites at toy size, and its folder is opened. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSceneSource, loadAtlas, type SceneSource } from "../data/index.ts";
import { type LogLine, readRecipe, runStage, scenePictures } from "../training/index.ts";
import { Judge } from "./judge.ts";
import { imageOf } from "./scores.ts";

let root: string;
let scenes: SceneSource;
const lines: LogLine[] = [];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-judge-"));
  const atlas = await loadAtlas("test/fixtures/sprites.bin.br");
  const source = (split: "train" | "validation") => createSceneSource(atlas, { split, size: 32, questions: false });
  scenes = source("validation");
  await runStage(await readRecipe("test/recipes/judge.json"), {
    root,
    sources: {
      pictures: async () => ({
        train: scenePictures(source("train")),
        validation: scenePictures(scenes),
        words: () => [],
      }),
    },
    threads: 1,
    onLine: (line) => lines.push(line),
  });
});
afterAll(() => rm(root, { recursive: true }));

const folder = (): string => join(root, "judge");

test("both terms of the loss are logged, and the scores with a threshold", () => {
  const losses = lines.flatMap(({ loss, centersLoss, backgroundLoss }) =>
    loss === undefined ? [] : [[Number(loss), Number(centersLoss) + Number(backgroundLoss)] as const],
  );
  expect(losses).toHaveLength(4);
  for (const [loss, terms] of losses) expect(loss).toBeCloseTo(terms, 4);
  const scores = lines.find((line) => "validation/recall" in line);
  for (const name of ["precision", "recall", "objectsFound", "backgroundRight"])
    expect(scores?.[`validation/${name}`], name).toBeGreaterThanOrEqual(0);
  expect(scores?.["validation/threshold"]).toBeGreaterThan(0);
});

test("the folder opens with the nouns and the threshold of its training, and looks at pictures of any size", async () => {
  const path = join(folder(), "judge.json");
  const json = JSON.parse(await readFile(path, "utf8"));
  expect(json.nouns).toEqual(scenes.nouns);
  expect(json.threshold).toBe(lines.find((line) => "validation/threshold" in line)?.["validation/threshold"]);
  await writeFile(path, JSON.stringify({ ...json, threshold: 0 }));
  const judge = await Judge.open(folder(), { threads: 1 });
  const images = [0, 1, 2].map((seed) => imageOf(scenes.scene(seed)));
  const seen = await judge.look([...images, { width: 8, height: 8, data: new Uint8Array(8 * 8 * 3) }], { batch: 2 });
  const alone = await judge.look(images.slice(2));
  await judge.close();
  expect(seen).toHaveLength(4);
  expect(seen[2]?.background).toEqual(alone[0]?.background);
  for (const { objects, background } of seen) {
    expect(objects.length).toBeGreaterThan(0); // every peak counts
    for (const { noun, x, y } of objects) {
      expect(judge.nouns).toContain(noun);
      expect(Math.min(x, y)).toBeGreaterThanOrEqual(2);
      expect(Math.max(x, y)).toBeLessThanOrEqual(30);
    }
    for (const color of background) expect(json.backgrounds).toContain(color);
  }
});

test("a folder without a judge, and one whose sizes are not those of its weights", async () => {
  await expect(Judge.open(root)).rejects.toThrow(
    "judge.json: expected a judge of pictures, found none. Train one: seedling train recipes/judge/judge.json",
  );
  const path = join(folder(), "judge.json");
  const json = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...json, nouns: json.nouns.slice(1) }));
  await expect(Judge.open(folder())).rejects.toThrow(
    /expected judge\.centers\.weight \[\d+,8,1,1\] as judge\.json has it, got \[\d+,8,1,1\]/,
  );
});
