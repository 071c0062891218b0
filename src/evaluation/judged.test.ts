import { beforeAll, expect, test } from "vitest";
import { createSceneSource, loadAtlas, type Scene } from "../data/index.ts";
import type { RgbImage } from "../image/index.ts";
import { judgedRoutes } from "./judged.ts";
import type { SeenPicture } from "./metrics/centers.ts";
import { imageOf } from "./scores.ts";

let scenes: Scene[];
beforeAll(async () => {
  const source = createSceneSource(await loadAtlas("test/fixtures/sprites.bin.br"), { size: 16, questions: false });
  scenes = Array.from({ length: 12 }, (_, seed) => source.scene(seed));
});

/** Knows the pictures of scenes, and sees nothing in others. */
const judge = {
  get nouns() {
    return new Set(scenes.flatMap(({ objects }) => objects.map(({ noun }) => noun)));
  },
  async look(images: readonly RgbImage[]): Promise<SeenPicture[]> {
    return images.map((image): SeenPicture => {
      const scene = scenes.find(({ pixels }) => pixels === image.data);
      if (!scene) return { objects: [], background: ["white", "white"] };
      const objects = scene.objects.map(({ noun, x, y, w, h }) => ({
        noun,
        x: x + w / 2,
        y: y + h / 2,
        probability: 1,
      }));
      return { objects, background: [scene.background.from, scene.background.to] };
    });
  },
};

test("each route next to the originals, and as a share of them", async () => {
  const originals = scenes.map(imageOf);
  const blank = { width: 16, height: 16, data: new Uint8Array(768) };
  const { judged, shares } = await judgedRoutes(judge, scenes, {
    originals,
    halves: originals.map((image, i) => (i % 2 ? image : blank)),
    nothing: originals.map(() => blank),
  });
  expect(Object.keys(judged)).toEqual(["originals", "halves", "nothing"]);
  expect(judged.originals.objectsFound.mean).toBe(100);
  expect(judged.originals.exactlyRight.mean).toBe(100);
  expect(judged["halves"]!.exactlyRight.mean).toBe(50);
  expect(judged["nothing"]!.objectsFound.mean).toBe(0);
  expect(judged["nothing"]!.countsRight.mean).toBeNaN();
  expect(Object.keys(shares)).toEqual(["halves", "nothing"]);
  expect(shares["halves"]!.exactlyRight.mean).toBe(50);
});
