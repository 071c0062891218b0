/** What the words of a caption are about, and where in the picture it is: targets of `losses/word-locations.ts`. */
import { nounTable } from "../../data/nouns.ts";
import type { Value } from "../../runtime/index.ts";
import { splitWords } from "../../text/index.ts";
import { patchLabels } from "../losses/patch-labels.ts";
import { type LocatedPhrase, wordLocations } from "../losses/word-locations.ts";
import type { Picture } from "./pictures.ts";

/** The patches of each picture's nouns, and of both ends of a fade, at the tokens that name them. f32 [B,length,grid²]. */
export function captionLocations(
  pictures: readonly Picture[],
  names: readonly string[],
  grid: number,
  length: number,
): Value {
  const cells = grid ** 2;
  const labels = patchLabels(pictures, names, grid).data;
  const data = new Float32Array(pictures.length * length * cells);
  for (const [b, picture] of pictures.entries()) {
    const own = Array.from(labels.subarray(b * cells, (b + 1) * cells));
    const phrases = [...nounPhrases(picture, names, own), ...fadePhrases(picture, cells)];
    data.set(wordLocations(splitWords(picture.caption), phrases, length, cells), b * length * cells);
  }
  return { shape: [pictures.length, length, cells], data };
}

/** Singular and plural; whichever the caption has gets a location. */
function nounPhrases({ objects = [] }: Picture, names: readonly string[], labels: readonly number[]): LocatedPhrase[] {
  return [...new Set(objects.map(({ name }) => name))].flatMap((name) => {
    const label = names.indexOf(name) + 1;
    const cells = labels.flatMap((own, i) => (own === label ? [i] : []));
    if (cells.length === 0) return [];
    return [name, nounTable().get(name)?.plural ?? `${name}s`].map((form) => ({ words: splitWords(form), cells }));
  });
}

/** A caption does not say whether a fade goes to the right or down, but the first corner and the last are certain. */
function fadePhrases({ background }: Picture, cells: number): LocatedPhrase[] {
  if (!background || background.from === background.to) return [];
  return [
    { words: splitWords(`from ${background.from}`), cells: [0] },
    { words: splitWords(`to ${background.to}`), cells: [cells - 1] },
  ];
}
