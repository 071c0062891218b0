import { expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { sceneText, withQuestions, wordList } from "./language-texts.ts";

const scene = (caption: string, noun: string, from: "red" | "blue") => ({
  caption,
  questions: [{ kind: "what-is" as const, question: "what is in the picture?", answer: caption }],
  background: { from, to: from, direction: "right" as const },
  objects: [{ noun, style: "noto" as const, count: 2, x: 0, y: 0, w: 1, h: 1 }],
});
const [dogs, cat] = [scene("two dogs on the left", "dog", "red"), scene("a yellow cat", "cat", "blue")];

test("a scene as text: its caption, questions and answers", () => {
  expect(sceneText(cat)).toBe("a yellow cat. what is in the picture? a yellow cat.");
});

test("a list has every word of its scene up to three times, no common ones, and a few words of another", () => {
  const lists = Array.from({ length: 40 }, (_, seed) => wordList(dogs, cat, new Rng(seed)).split(" "));
  for (const list of lists) {
    for (const word of ["two", "dogs", "dog", "left", "red"]) {
      const times = list.filter((other) => other === word).length;
      expect(times).toBeGreaterThanOrEqual(1);
      expect(times).toBeLessThanOrEqual(3);
    }
    const strange = list.filter((word) => ["yellow", "cat", "blue"].includes(word)).length;
    expect(strange).toBeLessThanOrEqual(6);
    expect(list.length).toBeLessThanOrEqual(28);
    expect(list).not.toContain("the");
  }
  expect(lists.some((list) => list.includes("cat"))).toBe(true);
  expect(new Set(lists.map((list) => list.join(" "))).size).toBeGreaterThan(30);
});

test("a scene with a few of its questions, each of them in its turn", () => {
  const questions = ["a", "b", "c"].map((question) => ({ kind: "what-is" as const, question, answer: question }));
  const some = Array.from({ length: 30 }, (_, seed) => withQuestions({ caption: "x", questions }, 2, new Rng(seed)));
  const asked = some.map(({ questions }) => questions.map(({ question }) => question).join(""));
  expect([...new Set(asked)].toSorted()).toEqual(["ab", "ac", "bc"]);
  expect(withQuestions({ caption: "x", questions }, 9, new Rng(1)).questions).toEqual(questions);
});
