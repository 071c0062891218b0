/** The combinations that training never shows: two nouns, noun and count, noun and color. */

import type { Atlas } from "./atlas.ts";
import type { Named } from "./captions.ts";
import { TRAIN_STYLES } from "./nouns.ts";
import { isHeldOutColor, isHeldOutCount, isHeldOutPair } from "./splits.ts";

/** The part of a group that decides. */
export type Combination = Pick<Named, "noun" | "count" | "color">;

/** Whether a scene with these groups has a combination that is held out. */
export function heldOutCombinations(atlas: Atlas): (groups: readonly Combination[]) => boolean {
  const colors = heldOutColors(atlas);
  return (groups) =>
    groups.some(({ noun, color, count }, i) => {
      if (count > 1 && isHeldOutCount(noun, count)) return true;
      if (color && colors.has(`${noun}|${color}`)) return true;
      return groups.some((other, j) => j < i && isHeldOutPair(noun, other.noun));
    });
}

/** Of the (noun, color) marked as held out, those whose noun training shows in other colors at least as often. */
function heldOutColors(atlas: Atlas): Set<string> {
  const total = new Map<string, number>();
  const colored = new Map<string, number>();
  const count = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
  const marked = new Map<string, string>();
  for (const { noun, style, color } of atlas.sprites) {
    if (!(TRAIN_STYLES as readonly string[]).includes(style)) continue;
    count(total, noun);
    if (!color || !isHeldOutColor(noun, color)) continue;
    marked.set(`${noun}|${color}`, noun);
    count(colored, `${noun}|${color}`);
  }
  return new Set(
    [...marked].filter(([key, noun]) => (colored.get(key) ?? 0) * 2 <= (total.get(noun) ?? 0)).map(([key]) => key),
  );
}
