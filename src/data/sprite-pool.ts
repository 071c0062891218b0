/** Which sprites a split may show. */

import { UsageError } from "../base/errors.ts";
import type { Atlas, Sprite } from "./atlas.ts";
import { STYLES, type Style, TRAIN_STYLES } from "./nouns.ts";
import { isHeldOutConcept, type Split } from "./splits.ts";

/** @throws UsageError if the split and the styles contradict each other. */
export function checkStyles(split: Split, styles: ReadonlySet<Style>): void {
  for (const style of styles) {
    if (!STYLES.includes(style))
      throw new UsageError(`scenes: expected a style of ${STYLES.join(", ")}, got ${style}.`);
    const training = (TRAIN_STYLES as readonly Style[]).includes(style);
    if (training === (split === "held-out-style")) {
      throw new UsageError(
        `scenes: split ${split} ${training ? "needs styles that training never shows" : "never shows held-out styles"}, got ${style}. Change split or styles.`,
      );
    }
  }
}

/** The sprites that scenes of a split are made of. */
export function spritesByNoun(
  atlas: Atlas,
  split: Split,
  styles: ReadonlySet<Style>,
  nouns: readonly string[] | undefined,
): Map<string, Sprite[]> {
  const wanted = nouns && new Set(nouns);
  const pool = new Map<string, Sprite[]>();
  for (const sprite of atlas.sprites) {
    const { noun, style } = sprite;
    if (!styles.has(style) || wanted?.has(noun) === false) continue;
    if (isHeldOutConcept(noun) !== (split === "held-out-concepts")) continue;
    const list = pool.get(noun);
    if (list) list.push(sprite);
    else pool.set(noun, [sprite]);
  }
  // Not in the order of the atlas, so that a larger atlas gives the same scenes for the same list of nouns.
  return new Map([...pool].sort(([a], [b]) => (a < b ? -1 : 1)));
}
