import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { loadAtlas } from "./atlas.ts";
import { BACKGROUNDS } from "./colors.ts";
import { hiddenShare } from "./draw.ts";
import { SCENE_KINDS } from "./layout.ts";
import { pixelNearestNeighbor, singleSprite, spritesOf } from "./naming.ts";
import { createSceneSource, type Scene, type SceneOptions } from "./scenes.ts";
import { absoluteSeed, isHeldOutConcept, isHeldOutCount, isHeldOutPair, SPLITS, seedsOf } from "./splits.ts";

const atlas = await loadAtlas("test/fixtures/sprites.bin.br");

function scenes(count: number, options: SceneOptions = {}): Scene[] {
  const source = createSceneSource(atlas, options);
  return Array.from({ length: count }, (_, seed) => source.scene(seed));
}

const nounsOf = (scene: Scene): string[] => [...new Set(scene.objects.map((object) => object.noun))];

function heldOutParts(scene: Scene): string[] {
  const nouns = nounsOf(scene);
  const pairs = nouns.flatMap((a, i) =>
    nouns
      .slice(i + 1)
      .filter((b) => isHeldOutPair(a, b))
      .map((b) => `${a}|${b}`),
  );
  const counts = scene.objects.filter((o) => o.count > 1 && isHeldOutCount(o.noun, o.count));
  return [...pairs, ...counts.map((o) => `${o.noun}|${o.count}`)];
}

test("a seed gives the same bytes and words everywhere", () => {
  const hash = createHash("sha256");
  for (const scene of scenes(50))
    hash.update(scene.pixels).update(scene.caption).update(JSON.stringify(scene.questions));
  expect(hash.digest("hex").slice(0, 16)).toBe("2486add3887a0356");
});

test("options that only change words leave the pixels as they are", () => {
  const [plain, quiet] = [scenes(20), scenes(20, { backgroundMention: 0, colorMention: 0, questions: false })];
  for (const [i, scene] of plain.entries()) expect(Buffer.compare(quiet[i]!.pixels, scene.pixels)).toBe(0);
  expect(quiet.every((scene) => scene.questions.length === 0)).toBe(true);
  expect(quiet.some((scene) => /background/.test(scene.caption))).toBe(false);
});

test("every kind of scene is drawn, and only those that are asked for", () => {
  expect(new Set(scenes(200).map((scene) => scene.kind))).toEqual(new Set(SCENE_KINDS));
  expect(new Set(scenes(100, { kinds: { one: 1 } }).map((scene) => scene.kind))).toEqual(new Set(["one"]));
});

test("objects are in the picture, and their boxes hold what differs from the background", () => {
  for (const scene of scenes(100, { kinds: { one: 1 }, size: 96 })) {
    const { x, y, w, h } = scene.objects[0]!;
    expect(Math.min(x, y)).toBeGreaterThan(-1);
    expect(Math.max(x + w, y + h)).toBeLessThan(97);
    const { from, to } = scene.background;
    if (from !== to) continue;
    const painted = Array.from({ length: 96 * 96 }, (_, i) => i).filter((i) =>
      BACKGROUNDS[from].some((value, c) => scene.pixels[i * 3 + c] !== value),
    );
    const columns = painted.map((i) => i % 96);
    const rows = painted.map((i) => Math.floor(i / 96));
    // Two pixels of slack: the box is that of alpha >= 8 before scaling.
    expect(Math.abs(Math.min(...columns) - x)).toBeLessThan(2);
    expect(Math.abs(Math.max(...columns) + 1 - x - w)).toBeLessThan(2);
    expect(Math.abs(Math.min(...rows) - y)).toBeLessThan(2);
    expect(Math.abs(Math.max(...rows) + 1 - y - h)).toBeLessThan(2);
  }
});

describe("splits", () => {
  test("no two splits share a seed", () => {
    const ranges = SPLITS.map((split) => [absoluteSeed(split, 0), absoluteSeed(split, seedsOf(split) - 1)] as const);
    for (const [i, [, last]] of ranges.entries()) {
      expect(last).toBeLessThan(2 ** 32);
      if (ranges[i + 1]) expect(last).toBeLessThan(ranges[i + 1]![0]);
    }
    const source = createSceneSource(atlas, { split: "test" });
    expect(() => source.scene(2 ** 28)).toThrow("scene: expected a whole seed from 0 to 268435455 for split test");
  });

  test("training shows no held-out concept, pair, count or style", () => {
    for (const scene of scenes(1500)) {
      expect(nounsOf(scene).filter(isHeldOutConcept)).toEqual([]);
      expect(heldOutParts(scene)).toEqual([]);
      expect(scene.objects.some((object) => object.style === "streamline-emojis")).toBe(false);
    }
  });

  test("held-out colors are those that training could have shown in another color", () => {
    // No sprite of a held-out (noun, color) is drawn, and each noun keeps at least half of its sprites.
    const shown = new Set(scenes(3000).flatMap((s) => s.objects.map((o) => `${o.noun}|${o.style}`)));
    const seen = atlas.sprites.filter((s) => !isHeldOutConcept(s.noun) && s.style !== "streamline-emojis");
    for (const noun of new Set(seen.map((sprite) => sprite.noun))) {
      const all = seen.filter((sprite) => sprite.noun === noun);
      const drawn = all.filter((sprite) => shown.has(`${noun}|${sprite.style}`));
      expect(drawn.length * 2, noun).toBeGreaterThanOrEqual(all.length);
    }
  });

  test("held-out pairs: every scene has a combination that training never shows", () => {
    for (const scene of scenes(200, { split: "held-out-pairs", kinds: { pair: 1, count: 1 } })) {
      const colors = scene.objects.filter((object) => object.color).length;
      expect(heldOutParts(scene).length + colors).toBeGreaterThan(0);
      expect(nounsOf(scene).filter(isHeldOutConcept)).toEqual([]);
    }
  });

  test("held-out concepts: nothing but nouns that training never shows", () => {
    const found = new Set(scenes(100, { split: "held-out-concepts" }).flatMap(nounsOf));
    expect(found).toEqual(new Set(["book", "elephant"]));
  });

  test("held-out style: only that style, and training refuses it", () => {
    const styles = ["streamline-emojis"] as const;
    const found = scenes(100, { split: "held-out-style", styles }).flatMap((s) => s.objects.map((o) => o.style));
    expect(new Set(found)).toEqual(new Set(styles));
    expect(() => createSceneSource(atlas, { styles })).toThrow(
      "scenes: split train never shows held-out styles, got streamline-emojis. Change split or styles.",
    );
    expect(() => createSceneSource(atlas, { split: "held-out-style", styles: ["noto"] })).toThrow("got noto");
  });
});

test("too few nouns are refused in words", () => {
  expect(() => createSceneSource(atlas, { nouns: ["apple"], kinds: { pair: 1 } })).toThrow(
    "scenes: split train has 1 nouns, too few for any kind of scene. Add nouns or kinds.",
  );
});

test("hardly a sprite is hidden by its background", () => {
  const bySprite = new Map(atlas.sprites.map((sprite) => [`${sprite.noun}|${sprite.style}`, sprite]));
  const all = scenes(500);
  const hidden = all.filter((scene) =>
    scene.objects.some((o) => hiddenShare(bySprite.get(`${o.noun}|${o.style}`)!, scene.background) > 0.45),
  );
  expect(hidden.length).toBeLessThan(all.length * 0.005);
});

test("captions and questions agree with what is drawn", () => {
  for (const scene of scenes(400, { size: 32 })) {
    const total = scene.objects.length;
    for (const { kind, question, answer } of scene.questions) {
      if (kind === "count-all") expect(answer).toBe(["", "one", "two", "three", "four"][total]);
      if (kind === "background") expect(answer).toBe(scene.background.from);
      if (kind === "exists") expect(answer).toBe(nounsOf(scene).some((noun) => question.includes(noun)) ? "yes" : "no");
      if (kind === "relation") {
        const [, one, relation, two] =
          /^(?:is|are) the (.+) (to the left of|to the right of|above|below) the (.+)\?$/.exec(question)!;
        expect(answer).toBe(relationHolds(scene, one!, relation!, two!) ? "yes" : "no");
      }
    }
    const said = /^(.+?) (to the left of|to the right of|above|below|over|under) (.+?)( on an? .*background.*)?$/.exec(
      scene.caption,
    );
    if (scene.kind === "pair" && said) {
      const relation = { over: "above", under: "below" }[said[2]!] ?? said[2]!;
      expect(relationHolds(scene, said[1]!, relation, said[3]!), scene.caption).toBe(true);
    }
  }
});

test("look-alike scenes share kind and background, and no first thing comes twice", () => {
  const source = createSceneSource(atlas, { likeness: 4, kinds: { one: 1, pair: 1 }, questions: false });
  let shared = 0;
  for (let block = 0; block < 50; block++) {
    const four = [0, 1, 2, 3].map((i) => source.scene(block * 4 + i));
    expect(new Set(four.map((scene) => scene.kind)).size).toBe(1);
    if (four[0]!.kind === "one") expect(new Set(four.map((scene) => scene.objects[0]!.noun)).size).toBe(4);
    const backgrounds = four.map(({ background: { from, to } }) => `${from}|${to}`);
    shared += Math.max(...backgrounds.map((own) => backgrounds.filter((other) => other === own).length));
  }
  // A background that would hide a sprite is drawn again, so a few scenes differ.
  expect(shared).toBeGreaterThan(0.75 * 200);
});

test("redrawn drawings keep inside their square and lose the name of their color only with the color", () => {
  const plain = createSceneSource(atlas, { kinds: { one: 1 }, questions: false });
  const source = createSceneSource(atlas, { kinds: { one: 1 }, questions: false, redrawn: 1 });
  let [different, named] = [0, 0];
  for (let seed = 0; seed < 100; seed++) {
    const scene = source.scene(seed);
    const { x, y, w, h } = scene.objects[0]!;
    expect(Math.min(x, y, w, h)).toBeGreaterThan(-1);
    expect(Math.max(x + w, y + h)).toBeLessThan(65);
    different += Number(Buffer.compare(scene.pixels, plain.scene(seed).pixels) !== 0);
    named += Number(scene.objects[0]!.color !== undefined);
  }
  expect(different).toBe(100);
  expect(named).toBeGreaterThan(5);
  expect(named).toBeLessThan(60);
});

test("single sprites are centered on white and have a name", () => {
  const [sprite] = spritesOf(atlas, ["scissors"], "twemoji");
  const picture = singleSprite(sprite!, 64);
  expect(picture.caption).toBe("a pair of scissors");
  expect([...picture.pixels.subarray(0, 6)]).toEqual(Array(6).fill(255));
  expect(picture.pixels.some((value) => value < 128)).toBe(true);
});

test("the pixel floor: a gallery names its own pictures, and strangers by their nearest", () => {
  const gallery = atlas.sprites.filter((sprite) => sprite.style !== "streamline-emojis");
  expect(pixelNearestNeighbor(gallery, gallery)).toEqual({ pictures: gallery.length, top1: 1, top5: 1 });
  const strangers = atlas.sprites.filter((sprite) => sprite.style === "streamline-emojis");
  const floor = pixelNearestNeighbor(gallery, strangers);
  expect(floor.pictures).toBe(strangers.length);
  expect(floor.top1).toBeGreaterThan(1 / 14);
  expect(floor.top5).toBeGreaterThanOrEqual(floor.top1);
});

/** `one` and `two` are phrases or names; each is matched to the object whose noun (or plural) it holds. */
function relationHolds(scene: Scene, one: string, relation: string, two: string): boolean {
  const center = (words: string) => {
    const stem = nounsOf(scene).find((noun) => words.includes(noun));
    const own = scene.objects.filter((object) => object.noun === stem);
    const mean = (of: (o: Scene["objects"][0]) => number) => own.reduce((sum, o) => sum + of(o), 0) / own.length;
    return { x: mean((o) => o.x + o.w / 2), y: mean((o) => o.y + o.h / 2) };
  };
  const [p, q] = [center(one), center(two)];
  if (relation === "to the left of") return p.x < q.x;
  if (relation === "to the right of") return p.x > q.x;
  return relation === "above" ? p.y < q.y : p.y > q.y;
}
