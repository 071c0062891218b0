import { beforeAll, expect, test } from "vitest";
import { type Atlas, loadAtlas } from "../../data/atlas.ts";
import { createSceneSource } from "../../data/index.ts";
import type { SceneObject } from "../../data/scenes.ts";
import { CaptionReader, type CaptionScores, captionScores } from "./read-caption.ts";

let atlas: Atlas;
beforeAll(async () => {
  atlas = await loadAtlas("test/fixtures/sprites.bin.br");
});

test("captions are read as they are written: every scene's own caption is exactly right", () => {
  const source = createSceneSource(atlas, { size: 16, colorMention: 1, backgroundMention: 0.5, questions: false });
  const scenes = Array.from({ length: 400 }, (_, i) => source.scene(i));
  const scores = captionScores(
    scenes.map(({ caption }) => caption),
    scenes,
    source.nouns,
  );
  expect(scores).toEqual({ objectF1: 1, countAccuracy: 100, colorAccuracy: 100, relationAccuracy: 100, exactly: 100 });
  const others = captionScores(
    scenes.map((_, i) => scenes[(i + 1) % scenes.length]!.caption),
    scenes,
    source.nouns,
  );
  expect(others.objectF1).toBeLessThan(0.5);
  expect(others.exactly).toBeLessThan(10);
});

test("objects, counts, colors and relations of free text", () => {
  const reader = new CaptionReader(["dog", "hot dog", "car", "apple"]);
  expect(reader.read("Two red apples to the left of a big blue car, on an orange background.")).toEqual({
    objects: [
      { noun: "apple", count: 2, color: "red" },
      { noun: "car", count: 1, color: "blue" },
    ],
    relation: "left",
  });
  expect(reader.read("a hot dog under three dogs on a background that fades from red to blue").objects).toEqual([
    { noun: "hot dog", count: 1 },
    { noun: "dog", count: 3 },
  ]);
  expect(reader.read("nothing of the kind")).toEqual({ objects: [] });
  expect(reader.read("")).toEqual({ objects: [] });
});

test("a thing named twice is right once", () => {
  const car = { noun: "car", count: 1, color: "red", x: 0, y: 0, w: 8, h: 8 } as unknown as SceneObject;
  const bus = { ...car, noun: "bus", y: 20 };
  const score = (said: string, objects: readonly SceneObject[]): CaptionScores =>
    captionScores([said], [{ objects }], ["car", "bus"]);
  expect(score("a red car", [car]).objectF1).toBe(1);
  const twice = score("a red car below a blue car", [car]);
  expect(twice.objectF1).toBeCloseTo(2 / 3, 6); // of two names one is right, of one thing one is named
  expect(twice).toMatchObject({ countAccuracy: 100, colorAccuracy: 100, exactly: 0 });
  expect(score("a car below a car", [car, bus]).objectF1).toBe(0.5);
});
