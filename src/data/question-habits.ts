/** Which answers a habit would give without looking, and questions thinned so that it is right in no more than half. */

import { Rng } from "../base/rng.ts";
import type { Question } from "./questions.ts";

/** Enough scenes for every question that comes often. */
export const HABIT_SCENES = 20_000;

/** The likeliest answer to a question, of `asked` times, and its share (0 to 1). */
export interface Habit {
  readonly answer: string;
  readonly share: number;
  readonly asked: number;
}

export interface QuestionHabits {
  /** By the words of the question. */
  readonly questions: ReadonlyMap<string, Habit>;
  readonly kinds: ReadonlyMap<string, Habit>;
}

type Asked = Iterable<{ readonly questions: readonly Question[] }>;

export function questionHabits(scenes: Asked): QuestionHabits {
  const kinds = new Map<string, Map<string, number>>();
  const questions = new Map<string, Map<string, number>>();
  const count = (counts: Map<string, Map<string, number>>, key: string, answer: string): void => {
    const answers = counts.get(key) ?? new Map<string, number>();
    counts.set(key, answers.set(answer, (answers.get(answer) ?? 0) + 1));
  };
  for (const scene of scenes)
    for (const { kind, question, answer } of scene.questions) {
      count(kinds, kind, answer);
      count(questions, question, answer);
    }
  const habits = (counts: typeof kinds) => new Map([...counts].map(([key, answers]) => [key, habitOf(answers)]));
  return { questions: habits(questions), kinds: habits(kinds) };
}

/** For each kind, the share (0 to 1) of the questions of other scenes to which the likeliest answer is right. */
export function habitScores(habits: QuestionHabits, scenes: Asked): Map<string, number> {
  const tally = new Map<string, { right: number; asked: number }>();
  for (const scene of scenes)
    for (const { kind, question, answer } of scene.questions) {
      const own = tally.get(kind) ?? { right: 0, asked: 0 };
      const habit = habits.questions.get(question) ?? habits.kinds.get(kind);
      if (habit?.answer === answer) own.right++;
      own.asked++;
      tally.set(kind, own);
    }
  return new Map([...tally].map(([kind, { right, asked }]) => [kind, right / asked]));
}

function habitOf(answers: ReadonlyMap<string, number>): Habit {
  const [answer, most] = [...answers].reduce((best, own) => (own[1] > best[1] ? own : best));
  const asked = [...answers.values()].reduce((sum, times) => sum + times, 0);
  return { answer, share: most / asked, asked };
}

/** A question that was asked less often than this has no habit that could be learned. */
const FEW = 20;

/** The questions that habits for thinning are counted on: those about what is there. */
export function ofWhatIsThere<T extends { readonly questions: readonly Question[] }>(scene: T): T {
  return { ...scene, questions: scene.questions.filter(({ kind }) => kind !== "absent") };
}

/**
 * Leaves out questions whose answer is the likeliest one, so often that it is right in half of the rest; a question that
 * has only one answer is not asked at all. Questions about absent objects, which sound like others, all stay. The same seed
 * leaves out the same.
 */
export function thinQuestions(questions: readonly Question[], habits: QuestionHabits, seed: number): Question[] {
  const rng = new Rng(seed ^ 0x7468696e); // "thin": a stream of its own
  return questions.filter(({ kind, question, answer }) => {
    if (kind === "absent") return true;
    const chance = rng.next();
    const habit = habits.questions.get(question);
    if (!habit || habit.asked < FEW || habit.share <= 0.5 || habit.answer !== answer) return true;
    return chance < (1 - habit.share) / habit.share;
  });
}
