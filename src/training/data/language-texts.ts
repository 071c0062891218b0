/** The built-in texts of the small language model: WordNet, facts about the nouns, and texts about scenes. */

import { hashText, permutation, Rng } from "../../base/rng.ts";
import { everydayNouns, nounTable } from "../../data/nouns.ts";
import { createSceneSource, type Scene } from "../../data/scenes.ts";
import { isHeldOutText, nounFacts, wordNetTexts } from "../../data/texts.ts";
import { Breath } from "../loop/breath.ts";
import type { Work } from "../loop/loop.ts";
import type { TextsData } from "../recipe/text-keys.ts";
import { type Drawings, iconDrawings } from "./drawings.ts";
import type { LanguageText, LanguageTexts } from "./text-sequences.ts";

/** Nothing reads the pixels, so the pictures are small. */
const SIZE = 8;

export async function languageTexts(
  { scenes, nouns, questions, factsTimes, wordNetShare, listed, mostQuestions }: Omit<TextsData, "readLists">,
  work: Work = {},
  drawings = iconDrawings,
): Promise<LanguageTexts> {
  const glosses = wordNetShare > 0 ? await wordNetTexts() : [];
  const plain = (text: string): LanguageText => ({ given: "", text });
  const some = glosses.filter((_, i) => i % 1000 < 1000 * wordNetShare).map(plain);
  const facts = nounFacts().map(plain);
  const said = scenes > 0 ? await sceneTexts({ scenes, nouns, questions, listed, mostQuestions }, work, drawings) : [];
  const all = [...some, ...said];
  const heldOut = ({ given, text }: LanguageText): boolean => isHeldOutText(given + text);
  return {
    train: [...all.filter((text) => !heldOut(text)), ...Array.from({ length: factsTimes }, () => facts).flat()],
    heldOut: all.filter(heldOut),
  };
}

async function sceneTexts(
  {
    scenes: count,
    nouns,
    questions,
    listed,
    mostQuestions,
  }: Pick<TextsData, "scenes" | "nouns" | "questions" | "listed" | "mostQuestions">,
  work: Work,
  drawings: Drawings,
): Promise<LanguageText[]> {
  const list = nouns === 0 ? [...nounTable().keys()] : everydayNouns(nouns);
  const asked = questions === "balanced" ? questions : undefined; // default: everything is asked
  const source = createSceneSource(await drawings(work), { size: SIZE, nouns: list, split: "train", questions: asked });
  const breath = new Breath(work.signal);
  const texts: LanguageText[] = [];
  for (let seed = 0; seed < count; seed++) {
    const rng = new Rng(hashText(`listed/${seed}`));
    const scene = source.scene(seed);
    const text = sceneText(mostQuestions === undefined ? scene : withQuestions(scene, mostQuestions, rng));
    texts.push(
      rng.next() < listed
        ? { given: `${wordList(scene, source.scene(rng.int(count)), rng)}:`, text: ` ${text}` }
        : { given: "", text },
    );
    await breath.take();
    work.onProgress?.("describing scenes", seed + 1, count, "scenes");
  }
  return texts;
}

/** The scene with some of its questions, in their order. */
export function withQuestions(
  { caption, questions }: Pick<Scene, "caption" | "questions">,
  most: number,
  rng: Rng,
): Pick<Scene, "caption" | "questions"> {
  const some = permutation(questions.length, rng).slice(0, most);
  return { caption, questions: questions.filter((_, i) => some.includes(i)) };
}

/** "two dogs on a red background. how many dogs are there? two. what color is the background? red." */
export function sceneText({ caption, questions }: Pick<Scene, "caption" | "questions">): string {
  return [`${caption}.`, ...questions.map(({ question, answer }) => `${question} ${answer}.`)].join(" ");
}

/** Words that every scene has. */
const COMMON = new Set("a an the of on in at is are to and some that from it pair background yes no fades".split(" "));
const MOST_WORDS = 28;

/**
 * What a scene shows as words out of order, some of them more than once, among a few words of another scene. An
 * off-the-shelf model has learned to use its context; a small one learns it from such lists.
 */
export function wordList(scene: WordedScene, other: WordedScene, rng: Rng): string {
  const words = wordsOf(scene).flatMap((word) => Array<string>(1 + rng.int(3)).fill(word));
  const strange = wordsOf(other);
  for (let i = rng.int(7); i > 0; i--) words.push(rng.pick(strange));
  return [...permutation(words.length, rng)]
    .slice(0, MOST_WORDS)
    .map((i) => words[i])
    .join(" ");
}

type WordedScene = Pick<Scene, "caption" | "questions" | "background" | "objects">;

function wordsOf({ caption, questions, background, objects }: WordedScene): string[] {
  const said = [
    caption,
    ...questions.map(({ answer }) => answer),
    background.from,
    background.to,
    ...objects.map(({ noun }) => noun),
  ];
  return [...new Set(said.flatMap((text) => text.split(" ")))].filter((word) => !COMMON.has(word));
}
