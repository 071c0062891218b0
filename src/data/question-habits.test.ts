import { expect, test } from "vitest";
import { loadAtlas } from "./atlas.ts";
import { habitScores, questionHabits, thinQuestions } from "./question-habits.ts";
import type { Question } from "./questions.ts";
import { createSceneSource } from "./scenes.ts";

const atlas = await loadAtlas("test/fixtures/sprites.bin.br");
const color = (answer: string): Question => ({ kind: "color", question: "what color is the apple?", answer });

test("habits, by hand: the likeliest answer of a kind and of each question", () => {
  const other: Question = { kind: "color", question: "what color is the fish?", answer: "blue" };
  const { kinds, questions } = questionHabits([
    { questions: [color("red"), color("red"), color("green")] },
    { questions: [color("red"), other] },
  ]);
  expect(questions.get(other.question)).toEqual({ answer: "blue", share: 1, asked: 1 });
  expect(questions.get(color("red").question)).toEqual({ answer: "red", share: 0.75, asked: 4 });
  expect(kinds.get("color")).toEqual({ answer: "red", share: 0.6, asked: 5 });
  expect(habitScores({ kinds, questions }, [{ questions: [color("red"), color("green"), other, other] }])).toEqual(
    new Map([["color", 0.75]]),
  );
});

test("thinned questions: the likeliest answer is left in half, a single answer never, rare questions always", () => {
  const many = [...Array(800).fill(color("red")), ...Array(200).fill(color("green"))] as Question[];
  const single: Question[] = Array(50).fill({ kind: "color", question: "what color is the fish?", answer: "blue" });
  const rare: Question[] = Array(5).fill({ kind: "color", question: "what color is the fox?", answer: "orange" });
  const all = [...many, ...single, ...rare];
  const habits = questionHabits([{ questions: all }]);
  const left = thinQuestions(all, habits, 7);
  const count = (answer: string): number => left.filter((own) => own.answer === answer).length;
  expect([count("green"), count("blue"), count("orange")]).toEqual([200, 0, 5]);
  expect(Math.abs(count("red") - 200)).toBeLessThan(40);
  expect(thinQuestions(all, habits, 7)).toEqual(left);
  expect(thinQuestions(all, habits, 8)).not.toEqual(left);
});

test("balanced scenes: no kind is right by habit in much more than half; half of what is asked for is absent", () => {
  const source = createSceneSource(atlas, { size: 8, questions: "balanced" });
  const plans = Array.from({ length: 6000 }, (_, i) => source.plan(i));
  const habits = questionHabits(plans.slice(2000));
  for (const [kind, { share }] of habits.kinds) expect(share, kind).toBeLessThan(0.56);
  for (const [kind, share] of habitScores(habits, plans.slice(0, 2000))) expect(share, kind).toBeLessThan(0.58);
  const exists = plans.flatMap(({ questions }) => questions.filter(({ kind }) => kind === "exists"));
  expect(Math.abs(exists.filter(({ answer }) => answer === "no").length / exists.length - 0.5)).toBeLessThan(0.03);
  const relation = plans.flatMap(({ questions }) => questions.filter(({ kind }) => kind === "relation"));
  expect(Math.abs(relation.filter(({ answer }) => answer === "no").length / relation.length - 0.5)).toBeLessThan(0.03);
  const plain = createSceneSource(atlas, { size: 8 });
  for (const seed of [0, 1, 2]) {
    const { questions: _, ...picture } = source.scene(seed);
    expect(plain.scene(seed)).toMatchObject(picture);
  }
});

test("an offset shifts the seeds, and plans know their own", () => {
  const [from, plain] = [
    createSceneSource(atlas, { split: "test", offset: 1_000_000 }),
    createSceneSource(atlas, { split: "test" }),
  ];
  expect(from.scene(3)).toEqual(plain.scene(1_000_003));
  expect(from.scene(3).seed).toBe(1_000_003);
  expect(from.seeds).toBe(plain.seeds - 1_000_000);
  expect(() => from.scene(from.seeds)).toThrow("expected a whole seed from 0 to");
  expect(() => createSceneSource(atlas, { offset: -1 })).toThrow("scenes: expected an offset from 0 to 2147483647");
});
