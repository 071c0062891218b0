/** What a seed gave when the shipped models were trained it always gives: pixels, captions, questions. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { loadAtlas } from "./atlas.ts";
import { createSceneSource, type SceneOptions } from "./scenes.ts";

const atlas = await loadAtlas("test/fixtures/sprites.bin.br");

test.each<[string, SceneOptions]>([
  ["e5abdb6c5e9e3f0f", {}],
  ["74bbc3e7f2a72ca1", { split: "validation", size: 32 }],
  ["d1a438ad571f5fed", { split: "test", backgroundMention: 0.9, colorMention: 0.9 }],
  ["e3533315037afee0", { split: "held-out-pairs", kinds: { pair: 1, count: 1 } }],
  ["1eed65d6d264fd12", { split: "held-out-concepts" }],
  ["0f220a96f0fe02d8", { split: "held-out-style", styles: ["streamline-emojis"], questions: false }],
  ["3b1ddfb497869c50", { likeness: 4, redrawn: 0.5, size: 48 }],
])("%s %o", (hash, options) => {
  const source = createSceneSource(atlas, options);
  const all = createHash("sha256");
  for (let seed = 0; seed < 120; seed++) {
    const { pixels, caption, kind, background, objects, questions } = source.scene(seed);
    const drawn = objects.map(({ noun, style, color, count, x, y, w, h }) => [noun, style, color, count, x, y, w, h]);
    const asked = questions.map(({ kind, question, answer }) => [kind, question, answer]);
    const { from, to, direction } = background;
    all.update(pixels).update(JSON.stringify([caption, kind, from, to, direction, drawn, asked]));
  }
  expect(all.digest("hex").slice(0, 16)).toBe(hash);
});
