import { expect, test } from "vitest";
import type { Scene } from "../data/scenes.ts";
import type { RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import {
  type CodedScene,
  describingScores,
  drawingScores,
  likeliestAnswers,
  questionScores,
  type Speaker,
  spanScores,
} from "./language-scores.ts";

const NOUNS = ["dog", "cat", "car"];

/** Codes are 32 times the number of the scene. */
function coded(n: number, noun: string, count: number): CodedScene {
  const object = { noun, style: "noto" as const, color: "red" as const, count, x: 0, y: 0, w: 1, h: 1 };
  const scene: Partial<Scene> = {
    caption: `${count > 1 ? "two" : "a"} ${noun}`,
    objects: Array.from({ length: count }, () => object),
    questions: [
      { kind: "count", question: "how many?", answer: count > 1 ? "two" : "one" },
      { kind: "what-is", question: "what is in the picture?", answer: `a ${noun}` },
    ],
  };
  return { scene: scene as Scene, codes: Array<number>(32).fill(n) };
}

const scenes = [coded(0, "dog", 1), coded(1, "cat", 2), coded(2, "car", 1)];

/** Says the same of every picture, or what the scene's caption says. */
const speaker = (sees: boolean): Speaker => ({
  describe: async (pictures) =>
    pictures.map(([n]) => (sees ? scenes[n!]!.scene.caption.replace("two cat", "two cats") : "a dog")),
  describeOnce: async (pictures) => pictures.map(() => "a dog"),
  ask: async (asked) =>
    asked.map(({ codes, question }) => {
      if (!codes || !sees) return question.startsWith("how") ? "one" : "a dog";
      return scenes[codes[0]!]!.scene.questions.find((own) => own.question === question)!.answer.toUpperCase();
    }),
  draw: async (prompts) => prompts.map(() => scenes[0]!.codes),
  drawFreely: async (prompts) => prompts.map((prompt) => (prompt === "nonsense" ? undefined : [])),
});

test("captions of a model that looks, and of one that does not, next to what was said of the next picture", async () => {
  const sees = await describingScores(speaker(true), scenes, NOUNS);
  expect(sees).toMatchObject({ objectF1: 1, countAccuracy: 100, exactly: 100 });
  expect(sees.ofOthers.objectF1).toBe(0);
  expect(sees.once.objectF1).toBeCloseTo(1 / 3);
  const blind = await describingScores(speaker(false), scenes, NOUNS);
  expect(blind.objectF1).toBeCloseTo(1 / 3);
  expect(blind.ofOthers.objectF1).toBeCloseTo(1 / 3);
});

test("answers with the picture next to those without, kind by kind", async () => {
  const likeliest = likeliestAnswers(scenes.map(({ scene }) => scene));
  expect(likeliest({ kind: "count", question: "how many?" })).toBe("one");
  expect(likeliest({ kind: "what-is", question: "what is in the picture?" })).toBe("a dog");
  expect(likeliest({ kind: "count", question: "how many cats?" })).toBe("one"); // never asked: as others of its kind
  expect(likeliest({ kind: "where", question: "where is the cat?" })).toBe("");
  const { kinds, ...all } = await questionScores(speaker(true), scenes, likeliest);
  const { questions, seeing, questionOnly } = all;
  expect([questions, seeing]).toEqual([6, 100]);
  expect(all.likeliest).toBeCloseTo(50);
  expect(kinds["what-is"]!.likeliest).toBeCloseTo(100 / 3);
  expect(questionOnly).toBeCloseTo(50);
  expect(kinds["count"]).toMatchObject({ questions: 3, seeing: 100 });
  expect(kinds["count"]!.questionOnly).toBeCloseTo(200 / 3);
  expect(kinds["what-is"]!.questionOnly).toBeCloseTo(100 / 3);
});

test("the share of drawings that come out whole without a rule", async () => {
  const scores = await spanScores(speaker(true), ["a dog", "nonsense", "a cat", "a car"]);
  expect(scores).toEqual({ spans: 4, wellFormed: 75 });
});

test("objects found in drawings, next to other pictures of the prompts, and the pictures themselves", async () => {
  const picture = (n: number): RgbImage => ({ width: 1, height: 1, data: Uint8Array.of(n, n, n) });
  // More nouns than the five nearest, so that a drawing of a dog does not show a car.
  const nouns = ["dog", "pig", "fox", "hen", "owl", "ant", "cat", "car"];
  const axis = (n: number): Float32Array => Float32Array.from(nouns, (_, i) => 1 / (1 + Math.abs(i - n)));
  const shown = scenes.map((one) => ({
    ...one,
    scene: { ...one.scene, ...picture(0), pixels: picture(0).data, size: 1 },
  }));
  const tokenizer = {
    decode: async (codes: readonly ArrayLike<number>[]) => codes.map((own) => picture(own[0] ?? 0)),
    decodeText: async (captions: readonly string[]) => captions.map(() => picture(1)),
    clipText: async () => nouns.map((_, i) => axis(i)),
    clipImage: async (images: readonly RgbImage[]) => images.map(({ data: [n = 0] }) => axis(nouns.indexOf(NOUNS[n]!))),
  } as unknown as SeedTokenizer;
  const { pictures, ...scores } = await drawingScores(speaker(true), tokenizer, shown, nouns);
  expect(scores).toMatchObject({ prompts: 3, realCodes: 100 });
  expect(scores.drawn).toBeCloseTo(100 / 3); // it draws a dog, whatever is asked for
  expect(Object.keys(pictures)).toEqual(["originals", "drawn", "realCodes", "fromCaption"]);
  expect(pictures.realCodes.map(({ data }) => data[0])).toEqual([0, 1, 2]);
  expect(pictures.drawn.map(({ data }) => data[0])).toEqual([0, 0, 0]);
});
