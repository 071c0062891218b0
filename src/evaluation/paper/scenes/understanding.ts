/** Captions and answers about pictures, decoded greedily and with 5 beams. arXiv 2307.08041 table 3. */
import { UsageError } from "../../../base/errors.ts";
import { createSceneSource, isHeldOutConcept } from "../../../data/index.ts";
import { likeliestAnswers } from "../../language-scores.ts";
import { nounList } from "../../metrics/noun-list.ts";
import { nearestByPixels } from "../../metrics/pixel-neighbors.ts";
import { WordNetSynonyms } from "../../metrics/wordnet-synonyms.ts";
import { imageOf } from "../../scores.ts";
import { answerMetrics, captionMetricsOf, type Metrics } from "./measure.ts";
import { type SceneArmOptions, type SceneSet, sceneSets, trainingScenes, unknownArm } from "./sets.ts";
import type { ArmSpeaker } from "./speakers.ts";

/** Arms that a language model is, and those without one. */
const [SPOKEN, FLOORS] = [
  ["codes", "continuous", "pixel-codes", "blind"],
  ["nearest-caption", "habit"],
];
/** Scenes whose answers are counted, for each one of the gallery. */
const HABITS = 8;
const BEAMS = 5;

/** Whether an arm of the table needs a language model. */
export function isSpoken(arm: string): boolean {
  return !FLOORS.includes(arm);
}

export async function understanding(arm: string, options: SceneArmOptions): Promise<Record<string, Metrics>> {
  if (![...SPOKEN, ...FLOORS].includes(arm)) throw unknownArm(arm, [...SPOKEN, ...FLOORS].join(", "));
  const { speaker, onProgress } = options;
  const nouns = nounList(options.nouns);
  const scoring = { nouns: nouns.filter((noun) => !isHeldOutConcept(noun)), synonyms: await WordNetSynonyms.open() };
  const score = (said: readonly string[], { references, scenes }: SceneSet): Metrics =>
    captionMetricsOf(said, references, scenes, scoring);
  const known = arm === "nearest-caption" ? trainingScenes(options) : [];
  const habit = arm === "habit" ? habitOf(options) : undefined;
  const results: Record<string, Metrics> = {};
  for (const one of sceneSets(options)) {
    const images = one.scenes.map(imageOf);
    const asked = one.scenes.flatMap((scene, i) =>
      scene.questions.map((question) => ({ ...question, image: images[i] })),
    );
    const answers = asked.map(({ answer }) => answer);
    const progress = (what: string) => (done: number, total: number) =>
      onProgress?.(`${what}, ${one.set}`, done, total);
    if (arm === "nearest-caption") {
      const nearest = nearestByPixels(images, known.map(imageOf));
      results[one.set] = score(
        nearest.map((i) => known[i]?.caption ?? ""),
        one,
      );
    } else if (habit) results[one.set] = answerMetrics(asked.map(habit), answers);
    else {
      if (!speaker) throw new UsageError(`${arm}: expected a model with a language model, got one without.`);
      const seen = arm === "blind" ? images.map(() => undefined) : images;
      const questions = arm === "blind" ? asked.map(({ question }) => ({ question })) : asked;
      results[one.set] = await spoken(speaker, { seen, questions, answers }, (said) => score(said, one), progress);
    }
  }
  return results;
}

async function spoken(
  speaker: ArmSpeaker,
  {
    seen,
    questions,
    answers,
  }: {
    seen: Parameters<ArmSpeaker["describe"]>[0];
    questions: Parameters<ArmSpeaker["ask"]>[0];
    answers: readonly string[];
  },
  score: (said: readonly string[]) => Metrics,
  progress: (what: string) => (done: number, total: number) => void,
): Promise<Metrics> {
  const once = score(await speaker.describe(seen, { beams: 1, onReply: progress("captions") }));
  const beams = score(await speaker.describe(seen, { beams: BEAMS, onReply: progress("captions, 5 beams") }));
  const answered = await speaker.ask(questions, { beams: 1, onReply: progress("answers") });
  const answeredByBeams = await speaker.ask(questions, { beams: BEAMS, onReply: progress("answers, 5 beams") });
  return {
    ...once,
    ...answerMetrics(answered, answers),
    "CIDEr-D, 5 beams": beams["CIDEr-D"]!,
    "VQA accuracy, 5 beams": answerMetrics(answeredByBeams, answers)["VQA accuracy"]!,
  };
}

function habitOf({ atlas, nouns, gallery }: SceneArmOptions): ReturnType<typeof likeliestAnswers> {
  const training = createSceneSource(atlas, {
    ...{ size: 8, nouns: nounList(nouns), split: "train" as const, questions: "balanced" as const }, // no pixels needed
  });
  return likeliestAnswers(
    Array.from({ length: HABITS * gallery }, (_, i) => ({ questions: training.scene(i).questions })),
  );
}
