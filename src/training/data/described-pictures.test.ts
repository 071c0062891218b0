import { expect, test } from "vitest";
import { loadAtlas } from "../../data/atlas.ts";
import { createSceneSource } from "../../data/scenes.ts";
import { manyThings } from "./described-pictures.ts";

test("pictures of many things are those with three kinds or more", async () => {
  const source = createSceneSource(await loadAtlas("test/fixtures/sprites.bin.br"), { size: 8 });
  const many = manyThings(source, 120);
  expect(many.length).toBeGreaterThan(5);
  expect(many.length).toBeLessThan(40);
  for (let i = 0; i < 120; i++) {
    const { kind, caption } = source.scene(i);
    expect(many.includes(i), caption).toBe(kind === "row" || kind === "grid");
  }
});
