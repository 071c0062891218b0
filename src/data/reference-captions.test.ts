import { expect, test } from "vitest";
import { loadAtlas } from "./atlas.ts";
import { BACKGROUND_NAMES, COLOR_NAMES } from "./colors.ts";
import { SCENE_KINDS } from "./layout.ts";
import { referenceCaptions } from "./reference-captions.ts";
import { createSceneSource } from "./scenes.ts";

const atlas = await loadAtlas("test/fixtures/sprites.bin.br");

test("five different wordings, the caption first, with the same numbers, colors, sizes and nouns", () => {
  const source = createSceneSource(atlas, { size: 8, questions: false });
  for (let seed = 0; seed < 400; seed++) {
    const plan = source.plan(seed);
    const references = referenceCaptions(plan);
    expect(references[0]).toBe(source.scene(seed).caption);
    expect(new Set(references).size).toBe(5);
    expect(referenceCaptions(source.plan(seed))).toEqual(references);
    for (const words of references) expect(facts(words), `${references[0]} | ${words}`).toEqual(facts(references[0]!));
  }
});

test("wordings of one scene of each kind", () => {
  const source = createSceneSource(atlas, { size: 8, questions: false });
  const shown = SCENE_KINDS.map((kind) => {
    let seed = 0;
    while (source.plan(seed).kind !== kind) seed++;
    return referenceCaptions(source.plan(seed));
  });
  expect(shown).toMatchSnapshot();
});

/** What is claimed, in an order of its own: what is left, upper or in the middle comes first. */
function facts(caption: string): unknown {
  const fade = /fades from (.+) to (.+)$/.exec(caption);
  const plain = new RegExp(`(?:on|against|in front of) an? (${BACKGROUND_NAMES.join("|")}) background$`).exec(caption);
  const said = caption
    .replace(/ (?:on|against|in front of) an? (?:background that fades .*|[a-z ]+ background)$/, "")
    .replace(/^(?:a picture of|an image of|a drawing of|there is|there are) /, "");
  const order = (sign: number, a: string, b: string) => (sign > 0 ? [a, b] : [b, a]);
  const arranged = (): unknown => {
    let m = /^on the left (.+), on the right (.+)$/.exec(said) ?? /^(.+) on the left and (.+) on the right$/.exec(said);
    if (m) return ["x", m[1], m[2]];
    m = /^at the top (.+), at the bottom (.+)$/.exec(said);
    if (m && !/^(?:left|right) (?:is|are) /.test(m[1]!)) return ["y", m[1], m[2]];
    m = /^between (.+) and (.+), (.+)$/.exec(said);
    if (m) return ["between", m[3], [m[1], m[2]].sort()];
    m = /^(.+) between (.+) and (.+)$/.exec(said);
    if (m) return ["between", m[1], [m[2], m[3]].sort()];
    m = /^(.+) to the (left|right) of (.+)$/.exec(said);
    if (m) return ["x", ...order(m[2] === "left" ? 1 : -1, m[1]!, m[3]!)];
    m = /^(.+) (above|over|below|under) (.+)$/.exec(said);
    if (m) return ["y", ...order(/above|over/.test(m[2]!) ? 1 : -1, m[1]!, m[3]!)];
    if (/ (?:next to|beside) | side by side$| in a row$/.test(said))
      return [
        "near",
        said
          .replace(/ (?:side by side|in a row)$/, "")
          .split(/, | and | next to | beside /)
          .sort(),
      ];
    m = /^((?:at|on) the [a-z ]+?) (?:is|are) (.+)$/.exec(said) ?? undefined!;
    if (m) return ["alone", m[2], m[1]];
    m = /^(.+?) ((?:at|on) the (?:top|bottom|left|right| )+)$/.exec(said)!;
    return m ? ["alone", m[1], m[2]] : ["alone", said];
  };
  const colors = COLOR_NAMES.filter((name) => said.split(" ").includes(name)).sort();
  return { from: fade?.[1] ?? plain?.[1], to: fade?.[2] ?? plain?.[1], arranged: arranged(), colors };
}
