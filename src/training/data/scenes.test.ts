/** Scenes with hard negatives as training data. */
import { describe, expect, test } from "vitest";
import { createSceneSource, loadAtlas } from "../../data/index.ts";
import { atMost, type Picture, take, takeCaptions } from "./pictures.ts";
import { sceneData, scenePictures } from "./scenes.ts";

const atlas = await loadAtlas("test/fixtures/sprites.bin.br");
const source = createSceneSource(atlas, { split: "train", size: 8, questions: false });
const pictures = scenePictures(source, undefined, { hardNegatives: true, changedPictures: 0.5 });
const COUNT = 400;
const list = (await take(pictures, 0, COUNT)) as Picture[];

describe("scenes with hard negatives", () => {
  test("the same index gives the same picture, whatever was asked for before", async () => {
    for (const index of [3, 0, 17, COUNT - 1]) expect(await pictures.get(index)).toEqual(list[index]);
  });

  test("a caption is that of its picture, and costs no picture", async () => {
    const kinds = [
      pictures,
      scenePictures(source),
      scenePictures(source, { source, count: 5 }, { hardNegatives: true }),
    ];
    for (const some of kinds) {
      const captions = (await take(some, 0, COUNT)).map(({ caption }) => caption);
      expect(await takeCaptions({ ...some, get: () => expect.fail("drawn") }, 0, COUNT)).toEqual(captions);
      expect(await takeCaptions({ ...some, caption: undefined }, 0, COUNT)).toEqual(captions);
    }
  });

  test("each has a changed caption, which is never its own", () => {
    for (const [index, { caption, changed }] of list.entries()) {
      expect(changed, `${index}`).toEqual(expect.any(String));
      expect(changed, `${index}`).not.toBe(caption);
    }
  });

  test("a caption that allows no change comes with that of another scene", async () => {
    const nouns = source.nouns.slice(0, 2);
    const easy = createSceneSource(atlas, { split: "train", size: 8, questions: false, nouns, kinds: { one: 1 } });
    const alike = await take(scenePictures(easy, undefined, { hardNegatives: true }), 0, COUNT);
    for (const { caption, changed } of alike) expect(changed).not.toBe(caption);
    expect(alike.some(({ caption }, i) => caption === alike[i + 1]?.caption)).toBe(true);
  });

  test("a picture of a changed caption follows the one whose caption that is, and either is false of the other", () => {
    const follows = list.flatMap((own, i) => (own.caption === source.scene(i).caption ? [] : [i]));
    for (const i of follows) {
      const [before, own] = [list[i - 1]!, list[i]!];
      expect([i % 2, own.caption, own.changed]).toEqual([1, before.changed, before.caption]);
      expect(own.image.data).not.toEqual(before.image.data);
    }
    // Half of the pairs, but for changes that cannot be drawn.
    expect(follows.length).toBeGreaterThan(COUNT / 12);
    expect(follows.length).toBeLessThan(COUNT / 3);
  });

  test("without changed pictures every picture is that of its own scene", async () => {
    const plain = scenePictures(source, undefined, { hardNegatives: true });
    for (const [i, { caption, image }] of (await take(plain, 0, 40)).entries()) {
      const scene = source.scene(i);
      expect(caption).toBe(scene.caption);
      expect(image.data).toEqual(scene.pixels);
    }
    expect((await scenePictures(source).get(0)).changed).toBeUndefined();
  });

  test("what pictures there are is in their name", () => {
    const of = (...options: Parameters<typeof scenePictures>) => scenePictures(...options).identity;
    const identities = [
      of(source),
      of(source, undefined, { hardNegatives: true }),
      of(source, undefined, { hardNegatives: true, changedPictures: 0.5 }),
      of(source, undefined, { likeness: 2 }),
      of(source, { source, count: 5 }),
    ];
    expect(new Set(identities).size).toBe(identities.length);
    expect(of(source, undefined, { hardNegatives: false, changedPictures: 0 })).toBe(identities[0]);
  });
});

test("a training's scenes: validation pictures are as they are, and minimal pairs come from them", async () => {
  const { train, validation, minimalPairs } = await sceneData({
    ...{ drawings: async () => atlas, nouns: 0, size: 8, pictures: 100 },
    ...{ hardNegatives: true, changedPictures: 1 },
  });
  expect([train.hardNegatives, validation.hardNegatives]).toEqual([true, true]);
  const scenes = createSceneSource(atlas, { split: "validation", size: 8, questions: false });
  const first = await take(validation, 0, atMost(validation, 6));
  expect(first.map(({ caption }) => caption)).toEqual(first.map((_, i) => scenes.scene(i).caption));
  const pairs = minimalPairs?.(3) ?? [];
  expect(new Set(pairs.map(({ kind }) => kind)).size).toBeGreaterThan(4);
  for (const { kind, picture, wrong } of pairs) expect(wrong, kind).not.toBe(picture.caption);
  expect(minimalPairs?.(3)).toBe(pairs); // computed once
  expect(minimalPairs?.(1).length).toBeLessThan(pairs.length);
});
