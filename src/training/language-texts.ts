/** The built-in texts of the small language model: WordNet, facts about the nouns, and what is said about scenes. */
import { openAtlas } from "../data/atlas.ts";
import { everydayNouns, nounTable } from "../data/nouns.ts";
import { createSceneSource, type Scene } from "../data/scenes.ts";
import { isHeldOutText, nounFacts, wordNetTexts } from "../data/texts.ts";
import type { LmPretrainRecipe } from "./lm-recipe.ts";
import type { LanguageTexts } from "./run-lm-recipe.ts";

/** Pixels are not looked at, so they are as few as can be. */
const SIZE = 8;

export async function languageTexts({
  scenes,
  nouns,
  factsTimes,
  wordNetShare,
}: LmPretrainRecipe["texts"]): Promise<LanguageTexts> {
  const glosses = await wordNetTexts();
  const some = glosses.filter((_, i) => i % 1000 < 1000 * wordNetShare);
  const facts = nounFacts();
  const said = scenes > 0 ? await sceneTexts(scenes, nouns) : [];
  const all = [...some, ...said];
  return {
    train: [...all.filter((text) => !isHeldOutText(text)), ...Array.from({ length: factsTimes }, () => facts).flat()],
    heldOut: all.filter(isHeldOutText),
  };
}

async function sceneTexts(count: number, nouns: number): Promise<string[]> {
  const list = nouns === 0 ? [...nounTable().keys()] : everydayNouns(nouns);
  const source = createSceneSource(await openAtlas(), { size: SIZE, nouns: list, split: "train" });
  return Array.from({ length: count }, (_, seed) => sceneText(source.scene(seed)));
}

/** "two dogs on a red background. how many dogs are there? two. what color is the background? red." */
export function sceneText({ caption, questions }: Pick<Scene, "caption" | "questions">): string {
  return [`${caption}.`, ...questions.map(({ question, answer }) => `${question} ${answer}.`)].join(" ");
}
