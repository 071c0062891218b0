/** The card of a model on the papers' test sets: what was measured on which lists, with which weights, prompts and settings. */
import { VERSION } from "../../base/version.ts";
import type { CaptionScoring } from "./caption-metrics.ts";
import { captionSection } from "./caption-section.ts";
import { type CaptionSet, openCaptionSet } from "./caption-sets.ts";
import type { ListFile } from "./list-file.ts";
import type { OpenedPaperModel } from "./open-paper-model.ts";
import { pictureSection } from "./picture-section.ts";
import type { ProblemTable } from "./problems.ts";
import { questionSection } from "./question-section.ts";
import { openQuestionSet, type QuestionSet } from "./question-sets.ts";
import { retrievalSection } from "./retrieval-section.ts";
import { type Section, seenSet } from "./section.ts";
import { type ProtocolSettings, settingsCard } from "./settings.ts";
import type { WorkOptions } from "./work.ts";

export const SECTIONS = ["retrieval", "pictures", "captions", "questions"] as const;
export type SectionName = (typeof SECTIONS)[number];

/** Folders of the data sets that are there. */
export type DataFolders = Readonly<Partial<Record<CaptionSet["name"] | QuestionSet["name"], string>>>;

export interface CardOptions {
  readonly folders: DataFolders;
  readonly sections: readonly SectionName[];
  readonly settings: ProtocolSettings;
  readonly scoring: CaptionScoring;
  readonly work: WorkOptions;
  /** Only the first n pictures or questions of each set. */
  readonly limit?: number;
  /** Settings of the decoder, for the card. */
  readonly decoding?: Readonly<Record<string, unknown>>;
  /** Called with each problem that is named; all are counted. */
  readonly onProblem?: (kind: string, name: string) => void;
  readonly onSection?: (name: string, section: Section) => void;
}

interface SetCard {
  readonly lists: readonly ListFile[];
  /** Pictures or questions of the published set, and those that were found. */
  readonly expected: number;
  readonly found: number;
  /** Whether it is the whole published set, without any problem. */
  readonly complete: boolean;
  readonly problems: ProblemTable;
}

export interface PaperCard {
  readonly format: "seedling-paper-card-1";
  readonly version: string;
  readonly model: { readonly weights: OpenedPaperModel["weights"] };
  readonly settings: Readonly<Record<string, unknown>>;
  readonly sets: Readonly<Record<string, SetCard>>;
  readonly results: Readonly<Record<string, Section>>;
}

/** Which sections each set has in the papers. */
const WANTED: readonly (readonly [set: CaptionSet["name"], sections: readonly SectionName[]])[] = [
  ["coco", ["retrieval", "pictures", "captions"]],
  ["flickr", ["retrieval", "pictures"]],
  ["nocaps", ["captions"]],
];

/** @throws as the sets, the model's parts and the metrics do */
export async function paperCard(opened: OpenedPaperModel, options: CardOptions): Promise<PaperCard> {
  const { folders, sections, settings, scoring, work, limit, onProblem, onSection } = options;
  const { model } = opened;
  const sets: Record<string, SetCard> = {};
  const results: Record<string, Section> = {};
  const add = (name: string, section: Section): void => {
    results[name] = section;
    onSection?.(name, section);
  };
  for (const [name, all] of WANTED) {
    const folder = folders[name];
    const wanted = all.filter((section) => sections.includes(section));
    if (folder === undefined || wanted.length === 0) continue;
    const set = await openCaptionSet(name, folder, { limit, onProblem });
    const seen = seenSet(set, model, work);
    if (wanted.includes("retrieval")) add(`retrieval ${name}`, await retrievalSection(seen, model, work));
    if (wanted.includes("pictures")) add(`pictures ${name}`, await pictureSection(seen, model, work));
    if (wanted.includes("captions")) add(`captions ${name}`, await captionSection(seen, model, scoring, work));
    sets[name] = setCard([set.list], set.expected, set.pictures.length, set.problems.table());
  }
  for (const name of ["vqa", "gqa"] as const) {
    const folder = folders[name];
    if (folder === undefined || !sections.includes("questions")) continue;
    const pictures = name === "vqa" && folders.coco !== undefined ? [folders.coco] : [];
    const set = await openQuestionSet(name, folder, { pictures, limit, onProblem });
    add(`questions ${name}`, await questionSection(set, model, work));
    sets[name] = setCard(set.lists, set.expected, set.questions.length, set.problems.table());
  }
  return {
    format: "seedling-paper-card-1",
    version: VERSION,
    model: { weights: opened.weights },
    settings: { ...settingsCard(settings, opened), decoding: options.decoding ?? {}, limit },
    sets,
    results,
  };
}

function setCard(lists: readonly ListFile[], expected: number, found: number, problems: ProblemTable): SetCard {
  const complete = found === expected && Object.keys(problems).length === 0;
  return { lists, expected, found, complete, problems };
}
