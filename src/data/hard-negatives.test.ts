import { expect, test } from "vitest";
import { type Atlas, loadAtlas, type Sprite } from "./atlas.ts";
import { namePhrase } from "./captions.ts";
import { BACKGROUND_NAMES, COLOR_NAMES } from "./colors.ts";
import { hardNegatives, minimalPairs, NEGATIVE_KINDS, type NegativeKind } from "./hard-negatives.ts";
import { createSceneSource, type Scene, type SceneOptions } from "./scenes.ts";
import { isHeldOutConcept, isHeldOutCount, isHeldOutPair } from "./splits.ts";

const few = await loadAtlas("test/fixtures/sprites.bin.br");
/** In two colors each, at least by name, so that a change of color can be drawn. */
const twins = few.sprites.flatMap((sprite): Sprite[] => (sprite.color ? [{ ...sprite, color: "purple" }] : []));
const atlas: Atlas = { sprites: [...few.sprites, ...twins] };
/** Much is said, so that much can be changed. */
const TALKATIVE = { backgroundMention: 0.8, colorMention: 0.8, questions: false } as const;

function* negatives(count: number, options: SceneOptions = {}) {
  const source = createSceneSource(atlas, { ...TALKATIVE, ...options });
  for (let seed = 0; seed < count; seed++) {
    const plan = source.plan(seed);
    const scene = source.draw(plan);
    for (const negative of hardNegatives(source, plan)) yield { scene, negative };
  }
}

test("captions are true of their scenes; negatives are false of them, and true of the scene that is drawn for them", () => {
  const [said, drawn] = [new Map<NegativeKind, number>(), new Map<NegativeKind, number>()];
  const count = (map: Map<NegativeKind, number>, kind: NegativeKind) => map.set(kind, (map.get(kind) ?? 0) + 1);
  for (const { scene, negative } of negatives(400, { size: 64 })) {
    const { kind, caption } = negative;
    const where = `${kind}, seed ${scene.seed}: ${scene.caption} | ${caption}`;
    count(said, kind);
    expect(isTrue(scene.caption, scene), where).toBe(true);
    expect(isTrue(caption, scene), where).toBe(false);
    const other = negative.scene?.();
    if (!other) continue;
    count(drawn, kind);
    expect(other.caption, where).toBe(caption);
    expect(isTrue(caption, other), `drawn, ${where}`).toBe(true);
    expect(isTrue(scene.caption, other), `drawn, ${where}`).toBe(false);
  }
  for (const kind of NEGATIVE_KINDS) expect(said.get(kind), kind).toBeGreaterThan(10);
  for (const kind of NEGATIVE_KINDS) expect(drawn.get(kind)! / said.get(kind)!, kind).toBeGreaterThan(0.25);
});

test("one change: the words that differ are those of the kind", () => {
  const words = (text: string): string[] => text.split(" ").sort();
  const times = (list: string[], word: string): number => list.filter((own) => own === word).length;
  const differ = (a: string[], b: string[]): string[] => [...new Set(a)].filter((w) => times(a, w) > times(b, w));
  for (const { scene, negative } of negatives(200, { size: 8 })) {
    const { kind, caption } = negative;
    const gone = differ(words(scene.caption), words(caption)).filter((word) => !/^an?$/.test(word));
    if (kind === "fade") expect(words(caption)).toEqual(words(scene.caption));
    else if (kind === "sides") expect(gone.join()).toMatch(/^(left|right)$/);
    else if (kind === "above-below") expect(gone.join()).toMatch(/^(above|below|over|under)$/);
    else if (kind === "position") expect(gone.join()).toMatch(/^(left|right|top|bottom)$/);
    else if (kind === "size") expect(gone.join()).toMatch(/^(|big|small)$/);
    else if (kind === "color") expect(COLOR_NAMES).toContain(gone.join());
    else if (kind === "background") expect(gone.length).toBeLessThanOrEqual(2); // "light blue"
  }
});

test("the same seed gives the same negatives, whichever kinds are asked for", () => {
  const source = createSceneSource(atlas, { ...TALKATIVE, size: 16 });
  for (let seed = 0; seed < 60; seed++) {
    const all = hardNegatives(source, source.plan(seed));
    for (const { kind, caption, scene } of all) {
      const [again] = hardNegatives(source, source.plan(seed), [kind]);
      expect(again!.caption).toBe(caption);
      expect(again!.scene?.().pixels).toEqual(scene?.().pixels);
    }
  }
});

test("no negative of training shows or names what training never shows", () => {
  for (const { scene, negative } of negatives(400, { size: 16 })) {
    const other = negative.scene?.();
    for (const objects of [other?.objects ?? [], namedIn(negative.caption, scene)]) {
      const nouns = [...new Set(objects.map(({ noun }) => noun))];
      expect(nouns.filter(isHeldOutConcept)).toEqual([]);
      for (const [i, a] of nouns.entries())
        for (const b of nouns.slice(0, i)) expect(isHeldOutPair(a, b), negative.caption).toBe(false);
      for (const { noun, count } of objects)
        if (count > 1) expect(isHeldOutCount(noun, count), negative.caption).toBe(false);
    }
  }
});

test("minimal pairs: as many of each kind as asked for, from the seeds that are asked for", () => {
  const source = createSceneSource(atlas, { ...TALKATIVE, split: "test", size: 16 });
  const pairs = [...minimalPairs(source, { perKind: 10, first: 1000 })];
  const counts = NEGATIVE_KINDS.map((kind) => pairs.filter((pair) => pair.kind === kind).length);
  expect(counts).toEqual(NEGATIVE_KINDS.map(() => 10));
  expect(Math.min(...pairs.map(({ scene }) => scene.seed))).toBeGreaterThanOrEqual(1000);
  for (const { scene, wrong } of pairs) {
    expect(scene.pixels).toEqual(source.scene(scene.seed).pixels);
    expect(wrong).not.toBe(scene.caption);
  }
  const rare = [...minimalPairs(source, { perKind: 10, scenes: 5 })];
  expect(rare.length).toBeLessThan(5 * NEGATIVE_KINDS.length);
});

interface Phrase {
  readonly noun: string;
  readonly count: number;
  readonly words: string;
}

const phrases = new Map<string, Phrase[]>();

/** Every way to name one to four of it. */
function phrasesOf(noun: string): Phrase[] {
  const known = phrases.get(noun);
  if (known) return known;
  const colors = [undefined, ...COLOR_NAMES];
  const all = [1, 2, 3, 4].flatMap((count) =>
    colors.flatMap((color) =>
      (count === 1 ? ([undefined, "big", "small"] as const) : [undefined]).map((size) => ({
        noun,
        count,
        words: namePhrase({ noun, count, color, size }),
      })),
    ),
  );
  phrases.set(noun, all);
  return all;
}

/** What a caption names of the scene's nouns. */
function namedIn(caption: string, { objects }: Scene): Phrase[] {
  const said = ` ${splitBackground(caption).said.replaceAll(",", " ")} `;
  const at = ({ words }: Phrase): number => said.indexOf(` ${words} `);
  const nouns = [...new Set(objects.map(({ noun }) => noun))];
  return nouns
    .flatMap(phrasesOf)
    .filter((phrase) => at(phrase) >= 0)
    .sort((a, b) => at(a) - at(b));
}

function splitBackground(caption: string): { said: string; from?: string; to?: string } {
  const fade = /^(.*) on a background that fades from (.+) to (.+)$/.exec(caption);
  if (fade) return { said: fade[1]!, from: fade[2], to: fade[3] };
  const plain = /^(.*) on an? (.+) background$/.exec(caption);
  return plain && BACKGROUND_NAMES.includes(plain[2] as never)
    ? { said: plain[1]!, from: plain[2], to: plain[2] }
    : { said: caption };
}

/** Reads a caption without the generator's help, and compares it with the boxes and colors of what was drawn. */
function isTrue(caption: string, scene: Scene): boolean {
  const { size, background } = scene;
  const { said, from, to } = splitBackground(caption);
  if (from && (background.from !== from || background.to !== to)) return false;
  const named = namedIn(caption, scene);
  const groups = named.map(({ noun, count, words }) => {
    const objects = scene.objects.filter((object) => object.noun === noun);
    const mean = (of: (o: Scene["objects"][0]) => number) =>
      objects.reduce((sum, o) => sum + of(o), 0) / objects.length;
    const [x, y] = [mean((o) => o.x + o.w / 2) / size, mean((o) => o.y + o.h / 2) / size];
    const side = mean((o) => Math.max(o.w, o.h)) / size;
    const color = COLOR_NAMES.find((name) => words.split(" ").includes(name) && !noun.split(" ").includes(name));
    const right = objects.length === count && (!color || objects[0]!.color === color);
    return { x, y, side, right, big: / big /.test(` ${words} `), small: / small /.test(` ${words} `) };
  });
  if (groups.some(({ right }) => !right)) return false;
  const all = scene.objects.map((o) => Math.max(o.w, o.h) / size);
  const alone = scene.kind === "one";
  for (const { big, small, side } of groups) {
    if (big && (alone ? side < 0.78 : side < Math.max(...all) - 0.02)) return false;
    if (small && (alone ? side > 0.6 : side > Math.min(...all) + 0.02)) return false;
  }
  const relation = / (to the left of|to the right of|above|below|over|under) /.exec(said)?.[1];
  const middle = groups.length / 2;
  const every = (holds: (a: (typeof groups)[0], b: (typeof groups)[0]) => boolean): boolean =>
    groups.slice(0, middle).every((a) => groups.slice(middle).every((b) => holds(a, b)));
  if (relation === "to the left of") return every((a, b) => a.x < b.x);
  if (relation === "to the right of") return every((a, b) => a.x > b.x);
  if (relation) return every((a, b) => (/above|over/.test(relation) ? a.y < b.y : a.y > b.y));
  if (/ between /.test(said)) return (groups[0]!.x - groups[1]!.x) * (groups[0]!.x - groups[2]!.x) < 0;
  const where = / (?:at the|on the) ((?:top|bottom|left|right| )+)$/.exec(said)?.[1] ?? "";
  const { x, y } = groups[0]!;
  return (
    (!where.includes("left") || x < 0.45) &&
    (!where.includes("right") || x > 0.55) &&
    (!where.includes("top") || y < 0.45) &&
    (!where.includes("bottom") || y > 0.55)
  );
}
