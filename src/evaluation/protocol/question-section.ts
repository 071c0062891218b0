/** Table 3 of arXiv 2307.08041: answers to questions, by VQA accuracy or GQA's exact match, overall and by kind. */
import { given } from "../../base/item.ts";
import { hashOf } from "../../io/hash.ts";
import { bootstrap, type Interval } from "../metrics/bootstrap.ts";
import { gqaExactMatch, vqaAccuracy } from "../metrics/vqa-accuracy.ts";
import type { PaperModel } from "./paper-model.ts";
import type { QuestionSet } from "./question-sets.ts";
import { EXAMPLES, figures, lacking, type Section } from "./section.ts";
import { remembered, seePictures, TEXT, type WorkOptions } from "./work.ts";

export async function questionSection(set: QuestionSet, model: PaperModel, work: WorkOptions): Promise<Section> {
  const lacks = lacking(model, "answer");
  if (lacks) return { count: 0, rows: {}, notRun: { questions: lacks } };
  const answer = given(model.answer, "answer");
  const paths = set.questions.map(({ path }) => path);
  const pictures = await seePictures(`${set.name}: pictures`, paths, model, set.problems, work);
  const asked = set.questions.flatMap((one, i) => {
    const codes = pictures[i]?.codes;
    return codes ? [{ ...one, codes }] : [];
  });
  const said = await remembered(
    `${set.name}: answering`,
    asked,
    {
      ...TEXT,
      keyOf: ({ codes, question }) => hashOf("answer", answer.id, codes.join(), question),
      compute: answer.run,
    },
    work,
  );
  const scores = asked.map(({ answers }, i) => {
    const text = said[i] ?? "";
    return 100 * (set.name === "vqa" ? vqaAccuracy(text, answers) : Number(gqaExactMatch(text, answers[0] ?? "")));
  });
  const kinds = [...new Set(asked.map(({ kind }) => kind))].sort();
  const of = (kind?: string): Record<string, Interval> => ({
    accuracy: bootstrap(scores.filter((_, i) => kind === undefined || asked[i]?.kind === kind)),
  });
  const own = {
    ...Object.fromEntries(kinds.map((kind) => [kind, of(kind)])),
    ...(scores.length > 0 ? { overall: of() } : {}),
  };
  const examples = asked
    .slice(0, EXAMPLES)
    .map(({ id, question, answers }, i) => ({ id, question, said: said[i], answers: [...new Set(answers)] }));
  return { count: asked.length, rows: figures(`questions ${set.name}`, own), examples };
}
