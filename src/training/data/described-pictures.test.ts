import { expect, test } from "vitest";
import { loadAtlas } from "../../data/atlas.ts";
import { createSceneSource } from "../../data/scenes.ts";
import { manyObjects, splitByPicture } from "./described-pictures.ts";

test("pictures of many objects are those with three kinds or more", async () => {
  const source = createSceneSource(await loadAtlas("test/fixtures/sprites.bin.br"), { size: 8 });
  const many = manyObjects(source, 120);
  expect(many.length).toBeGreaterThan(5);
  expect(many.length).toBeLessThan(40);
  for (let i = 0; i < 120; i++) {
    const { kind, caption } = source.scene(i);
    expect(many.includes(i), caption).toBe(kind === "row" || kind === "grid");
  }
});

test("all captions of one picture are on one side of the split", () => {
  const rows = Array.from({ length: 600 }, (_, i) => ({
    codes: Array.from({ length: 32 }, (_, p) => ((Math.floor(i / 5) * (p + 1)) % 48) + p),
    caption: `caption ${i}`,
    questions: [],
  }));
  const { train, validation } = splitByPicture(rows);
  expect(train.length + validation.length).toBe(rows.length);
  expect(validation.length).toBeGreaterThan(0);
  const learned = new Set(train.map(({ codes }) => codes.join()));
  expect(validation.filter(({ codes }) => learned.has(codes.join()))).toEqual([]);
  expect(splitByPicture(rows.slice(0, 1))).toEqual({ train: rows.slice(0, 1), validation: rows.slice(0, 1) });
});
