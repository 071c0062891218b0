import { expect, test } from "vitest";
import type { SeenPicture } from "./centers.ts";
import { judgedPicture, judgedScores, type ShownScene, shareOfOriginals } from "./judged-scenes.ts";

const NOUNS = new Set(["cat", "dog", "pig"]);

function shown(objects: readonly (readonly [string, number, number])[]): ShownScene {
  return {
    objects: objects.map(([noun, x, y]) => ({ noun, x: x - 5, y: y - 5, w: 10, h: 10 })),
    background: { from: "red", to: "blue" },
  };
}

function seen(objects: readonly (readonly [string, number, number])[], background = ["red", "blue"]): SeenPicture {
  const [from = "", to = ""] = background;
  return { objects: objects.map(([noun, x, y]) => ({ noun, x, y, probability: 1 })), background: [from, to] };
}

const scene = shown([
  ["cat", 16, 30],
  ["dog", 48, 26],
]);

test("a picture in which everything is right", () => {
  const all = judgedPicture(
    seen([
      ["dog", 46, 26],
      ["cat", 18, 30],
    ]),
    scene,
    NOUNS,
  );
  expect(all).toEqual({
    objectsFound: { right: 2, of: 2 },
    countsRight: { right: 2, of: 2 },
    sidesRight: { right: 1, of: 1 },
    aboveRight: { right: 0, of: 0 },
    backgroundRight: { right: 1, of: 1 },
    exactlyRight: { right: 1, of: 1 },
    falseFinds: 0,
  });
});

test("sides exchanged, one color of a fade wrong", () => {
  const exchanged = judgedPicture(
    seen(
      [
        ["cat", 48, 30],
        ["dog", 16, 26],
      ],
      ["red", "red"],
    ),
    scene,
    NOUNS,
  );
  expect(exchanged).toMatchObject({
    objectsFound: { right: 2 },
    sidesRight: { right: 0, of: 1 },
    backgroundRight: { right: 0 },
    exactlyRight: { right: 0 },
  });
});

test("an object that is not found has no count and no side; one too many is a false find", () => {
  const part = judgedPicture(
    seen([
      ["cat", 16, 30],
      ["cat", 40, 30],
      ["pig", 16, 50],
    ]),
    scene,
    NOUNS,
  );
  expect(part).toMatchObject({
    objectsFound: { right: 1, of: 2 },
    countsRight: { right: 0, of: 1 },
    sidesRight: { of: 0 },
    falseFinds: 2,
  });
});

test("one above the other by the mean of several; nouns that the judge does not know do not count", () => {
  const many = shown([
    ["pig", 16, 48],
    ["pig", 48, 48],
    ["cat", 36, 16],
    ["zebra", 5, 5],
  ]);
  const right = judgedPicture(
    seen([
      ["pig", 16, 48],
      ["pig", 48, 48],
      ["cat", 16, 16],
    ]),
    many,
    NOUNS,
  );
  expect(right).toMatchObject({
    objectsFound: { right: 2, of: 2 },
    sidesRight: { of: 0 },
    aboveRight: { right: 1, of: 1 },
    exactlyRight: { right: 1 },
  });
});

test("scores are percent with intervals, and shares of the originals are paired", () => {
  const full = seen([
    ["cat", 16, 30],
    ["dog", 48, 26],
  ]);
  const originals = Array.from({ length: 40 }, () => judgedPicture(full, scene, NOUNS));
  const halves = originals.map((_, i) => judgedPicture(i % 2 ? full : seen([], ["red", "red"]), scene, NOUNS));
  const scores = judgedScores(halves);
  expect(scores.objectsFound.mean).toBe(50);
  expect(scores.objectsFound.low).toBeGreaterThan(30);
  expect(scores.objectsFound.low).toBeLessThan(45);
  expect(scores.countsRight).toEqual({ mean: 100, low: 100, high: 100 });
  expect(scores.aboveRight.mean).toBeNaN();
  expect(scores.falseFinds.mean).toBe(0);
  const share = shareOfOriginals(halves, originals);
  expect(share.objectsFound).toEqual(scores.objectsFound);
  expect(shareOfOriginals(halves, halves).objectsFound).toEqual({ mean: 100, low: 100, high: 100 });
});
