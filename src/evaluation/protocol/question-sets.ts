/** Questions about pictures in the official files: VQAv2's validation split, and GQA's balanced test-dev split. */
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { parseWith } from "../../io/json-file.ts";
import type { SetOptions } from "./caption-sets.ts";
import { findList, goodEntries, id, type ListFile, onceEach, readList } from "./list-file.ts";
import { PictureFolder } from "./picture-folder.ts";
import { Problems } from "./problems.ts";

export interface AskedPicture {
  readonly id: string;
  /** Path of the picture. */
  readonly path: string;
  readonly question: string;
  /** Ten of VQAv2's annotators, or GQA's one. */
  readonly answers: readonly string[];
  /** VQAv2: "yes/no", "number", "other". GQA: its structural type, such as "verify". */
  readonly kind: string;
}

export interface QuestionSet {
  readonly name: "vqa" | "gqa";
  readonly lists: readonly ListFile[];
  /** Questions of the published set. */
  readonly expected: number;
  readonly questions: readonly AskedPicture[];
  readonly problems: Problems;
}

interface Entry extends Omit<AskedPicture, "path"> {
  readonly file: string;
}

const parseQuestions = parseWith(
  z.object({ questions: z.array(z.unknown()), data_subtype: z.string().default("val2014") }),
);
const parseAnnotations = parseWith(z.object({ annotations: z.array(z.unknown()) }));
const parseGqa = parseWith(z.record(z.string(), z.unknown()));
const vqaQuestion = z.object({ question_id: id, image_id: z.int().min(0), question: z.string().min(1) });
const vqaAnnotation = z.object({
  question_id: id,
  image_id: z.int().min(0),
  answer_type: z.string(),
  answers: z.array(z.object({ answer: z.string() })).min(1),
});
const gqaQuestion = z.object({
  question: z.string().min(1),
  imageId: id,
  answer: z.string(),
  types: z.object({ structural: z.string() }).optional(),
});

/**
 * `pictures`: other folders where the pictures may be, such as that of COCO.
 * @throws InputError if a file is missing or of another form; SetupError if the folder cannot be read
 */
export async function openQuestionSet(
  name: QuestionSet["name"],
  folder: string,
  { pictures = [], limit, onProblem }: SetOptions & { readonly pictures?: readonly string[] } = {},
): Promise<QuestionSet> {
  const problems = new Problems(onProblem);
  const { lists, entries } = await (name === "vqa" ? vqaEntries : gqaEntries)(folder, problems);
  const once = onceEach(entries, (entry) => entry.id, "duplicate questions", problems).slice(0, limit);
  const folders = await Promise.all([folder, ...pictures].map((one) => PictureFolder.open(one)));
  const found = new Map<string, string | undefined>();
  const pathOf = (file: string): string | undefined => {
    if (found.has(file)) return found.get(file);
    const path = folders.map((one) => one.find(file)).find((one) => one !== undefined);
    found.set(file, path);
    if (!path) problems.add("missing pictures", file);
    return path;
  };
  const questions = once.flatMap(({ file, ...rest }) => {
    const path = pathOf(file);
    if (!path) problems.add("questions without their picture", rest.id);
    return path ? [{ ...rest, path }] : [];
  });
  if (questions.length === 0)
    throw new InputError(
      `${folder}: expected pictures of ${lists.map((one) => one.name).join(" and ")}, found none of ${found.size}. Put them there too.`,
    );
  return { name, lists, expected: name === "vqa" ? 214_354 : 12_578, questions, problems };
}

async function vqaEntries(folder: string, problems: Problems): Promise<{ lists: ListFile[]; entries: Entry[] }> {
  const questionsPath = await findList(folder, ["v2_OpenEnded_mscoco_val2014_questions.json"]);
  const answersPath = await findList(folder, ["v2_mscoco_val2014_annotations.json"]);
  const asked = await readList(questionsPath);
  const answered = await readList(answersPath);
  const { questions, data_subtype } = parseQuestions(asked.json, questionsPath);
  const { annotations } = parseAnnotations(answered.json, answersPath);
  const good = goodEntries(annotations, vqaAnnotation, answersPath, problems);
  const byId = new Map(
    onceEach(good, (one) => one.question_id, "duplicate answers", problems).map((one) => [one.question_id, one]),
  );
  const used = new Set<string>();
  const entries = goodEntries(questions, vqaQuestion, questionsPath, problems).flatMap((one): Entry[] => {
    const annotation = byId.get(one.question_id);
    used.add(one.question_id);
    if (!annotation) problems.add("questions without answers", one.question_id);
    else if (annotation.image_id !== one.image_id) problems.add("answers about another picture", one.question_id);
    else {
      const number = String(one.image_id).padStart(12, "0");
      return [
        {
          id: one.question_id,
          file: `${data_subtype}/COCO_${data_subtype}_${number}.jpg`,
          question: one.question,
          answers: annotation.answers.map(({ answer }) => answer),
          kind: annotation.answer_type,
        },
      ];
    }
    return [];
  });
  for (const question of byId.keys()) if (!used.has(question)) problems.add("answers without a question", question);
  return { lists: [asked.file, answered.file], entries };
}

async function gqaEntries(folder: string, problems: Problems): Promise<{ lists: ListFile[]; entries: Entry[] }> {
  const path = await findList(folder, ["testdev_balanced_questions.json"]);
  const { json, file } = await readList(path);
  const all = Object.entries(parseGqa(json, path));
  const entries = all.flatMap(([question, value]) =>
    goodEntries([value], gqaQuestion, `${path} ${question}`, problems).map((one) => ({
      id: question,
      file: `${one.imageId}.jpg`,
      question: one.question,
      answers: [one.answer],
      kind: one.types?.structural ?? "other",
    })),
  );
  return { lists: [file], entries };
}
