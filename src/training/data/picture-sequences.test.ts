import { expect, test } from "vitest";
import { tinyTokenizer } from "../../../test/tiny-lm.ts";
import { CHATML, SEED_CHAT } from "../../text/index.ts";
import { type PictureStage, pictureTexts } from "./picture-sequences.ts";

const tokenizer = tinyTokenizer();
const { image } = tokenizer;
const rows = [3, 7].map((n) => ({
  codes: Array.from({ length: 32 }, (_, i) => (n + i) % image.codes),
  caption: `cat ${n}`,
  questions: [{ question: "how many?", answer: String(n) }],
}));

const common = { rows, identity: "rows", tokenizer, template: SEED_CHAT, seed: 1 };
const texts = (stage: PictureStage, drawShare: number, template = SEED_CHAT) =>
  pictureTexts({ ...common, stage, template, drawShare });

/** What is learned of a sequence: text, and "#" for each whole or broken token of a picture. */
async function learned(sequences: ReturnType<typeof texts>, index: number): Promise<string> {
  const { ids, learned } = await sequences.get(index);
  return ids
    .filter((_, i) => learned[i])
    .map((id) => (id >= image.first ? "#" : id === tokenizer.eos ? "." : tokenizer.decode([id])))
    .join("");
}

test("seeing learns the caption, drawing the picture; never what was given", async () => {
  const seen = texts("see", 0);
  const first = await Promise.all([0, 1].map((i) => learned(seen, i)));
  expect(first.sort()).toEqual(["cat 3.", "cat 7."]);
  expect(await learned(texts("see-and-draw", 1), 0)).toBe(`${"#".repeat(34)}.`);
  const both = texts("see-and-draw", 0.5);
  const kinds = await Promise.all(Array.from({ length: 60 }, (_, i) => learned(both, i)));
  const drawn = kinds.filter((said) => said.startsWith("#")).length;
  expect(drawn).toBeGreaterThan(15);
  expect(drawn).toBeLessThan(45);
});

test("questions follow the caption as often as they are to, and only answers are learned of them", async () => {
  const said = async (questionShare: number): Promise<string[]> => {
    const sequences = pictureTexts({ ...common, stage: "see", drawShare: 0, questionShare });
    return Promise.all(Array.from({ length: 40 }, (_, i) => learned(sequences, i)));
  };
  expect(new Set(await said(1))).toEqual(new Set(["cat 3. 3..", "cat 7. 7.."])); // the last one is the end
  const half = (await said(0.5)).filter((one) => one.length > "cat 3.".length).length;
  expect(half).toBeGreaterThan(8);
  expect(half).toBeLessThan(32);
});

test("conversations learn answers and pictures that were asked for, in either template", async () => {
  for (const template of [SEED_CHAT, CHATML]) {
    const talks = texts("instruct", 0.5, template);
    const said = await Promise.all(Array.from({ length: 80 }, (_, i) => learned(talks, i)));
    const text = (one: string): string => one.replace(/<\|im_end\|>/g, ".");
    expect(said.some((one) => /^#{34}/.test(one))).toBe(true);
    expect(said.map(text).some((one) => /^(cat )?[37]\.?(cat )?[37]?\.?$/.test(one))).toBe(true);
    for (const one of said) expect(one).not.toMatch(/how many|USER|describe|draw/);
  }
});

test("some rows are taken oftener than they come", async () => {
  const first = { ...common, stage: "see", drawShare: 0, oftener: { indices: [1], share: 0.6 } } as const;
  const said = await Promise.all(Array.from({ length: 100 }, (_, i) => learned(pictureTexts(first), i)));
  const often = said.filter((one) => one === "cat 7.").length;
  expect(often).toBeGreaterThan(70); // 80 expected, 50 without
  expect(often).toBeLessThan(92);
});

test("conversations about pictures begin with a description as often as they are to", async () => {
  const described = async (describeShare?: number): Promise<number> => {
    const given = describeShare === undefined ? {} : { describeShare };
    const talks = pictureTexts({ ...common, stage: "instruct", drawShare: 0, ...given });
    const said = await Promise.all(Array.from({ length: 80 }, (_, i) => learned(talks, i)));
    return said.filter((one) => rows.some(({ caption }) => one.startsWith(caption))).length;
  };
  expect(await described(1)).toBe(80);
  expect(await described(0)).toBe(0);
  const half = await described();
  expect(half).toBeGreaterThan(20);
  expect(half).toBeLessThan(60);
});

test("each time through the rows come in another order, the same for the same seed", async () => {
  const [one, two] = [texts("see", 0), texts("see", 0)];
  const order = await Promise.all(Array.from({ length: 40 }, (_, i) => learned(one, i)));
  expect(await Promise.all(Array.from({ length: 40 }, (_, i) => learned(two, i)))).toEqual(order);
  for (let i = 0; i < 40; i += 2) expect(order[i]).not.toBe(order[i + 1]);
  expect(new Set(order.filter((_, i) => i % 2 === 0)).size).toBe(2);
});

test("with wrong pictures the words stay and the codes are those of the next row", async () => {
  const [right, wrong] = [false, true].map((wrongPictures) =>
    pictureTexts({ ...common, stage: "see", drawShare: 0, wrongPictures }),
  );
  const first = async (from: typeof right): Promise<number> =>
    (await from!.get(0)).ids.find((id) => id >= image.first && id < image.first + image.codes)! - image.first;
  expect(await learned(wrong!, 0)).toBe(await learned(right!, 0));
  expect(new Set([await first(right!), await first(wrong!)])).toEqual(new Set(rows.map(({ codes }) => codes[0]!)));
});

test("plain texts come in their share, every word of them learned", async () => {
  const options = { rows, identity: "rows", tokenizer, template: SEED_CHAT, drawShare: 0, seed: 1 } as const;
  const plain = { texts: ["dog", "cat cat"], share: 0.5 };
  const some = pictureTexts({ ...options, stage: "see", plain });
  const said = await Promise.all(Array.from({ length: 60 }, (_, i) => learned(some, i)));
  const texts = said.filter((one) => plain.texts.includes(one));
  expect(texts.length).toBeGreaterThan(15);
  expect(texts.length).toBeLessThan(45);
  expect(new Set(texts).size).toBe(2);
});
