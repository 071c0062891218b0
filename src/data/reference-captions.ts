/** Several captions of one scene that say the same in other words, as people would: references for BLEU, ROUGE and CIDEr. */

import { item } from "../base/item.ts";
import { hashText, permutation, Rng } from "../base/rng.ts";
import { backgroundPhrase, type CaptionPlan, type Named, namePhrase, OPPOSITE, sayCaption } from "./captions.ts";
import { nounOf } from "./nouns.ts";
import { listPhrase } from "./phrases.ts";
import type { ScenePlan } from "./scenes.ts";

/**
 * The caption of a plan and `count` - 1 other wordings of the same facts (all different where the facts allow it). The
 * same seed and caption give the same references.
 */
export function referenceCaptions({ seed, said }: Pick<ScenePlan, "seed" | "said">, count = 5): string[] {
  const caption = sayCaption(said);
  const rng = new Rng(hashText(`${seed}/references/${caption}`));
  const { plain, turned } = cores(said);
  const all = [...plain, ...turned];
  const order = permutation(all.length, rng);
  const found = new Set([caption]);
  // Every arrangement once before one comes again with other words around it.
  for (let i = 0; found.size < count && i < MAX_TRIES; i++) {
    const core = item(all, item(order, i % all.length));
    found.add(frame(core, plain.includes(core) && (i >= all.length || rng.next() < 0.4), said, rng));
  }
  return [...found];
}

/** Among a dozen wordings of the fewest facts ("a dog") five are found long before. */
const MAX_TRIES = 200;

/** Words in front of a noun phrase, and behind it those for the background. */
function frame(core: string, framed: boolean, { named, background }: CaptionPlan, rng: Rng): string {
  const fronts = ["a picture of", "an image of", "a drawing of", isAre(named, core)];
  const words = framed ? `${rng.pick(fronts)} ${core}` : core;
  if (!background) return words;
  const behind = rng.pick(["on", "on", "against", "in front of"]);
  return `${words} ${backgroundPhrase(background).replace(/^on/, behind)}`;
}

/** Arrangements in words: noun phrases, and sentences of their own. */
function cores({ named, wording }: CaptionPlan): { plain: string[]; turned: string[] } {
  const phrases = named.map(namePhrase);
  const [a, b, c] = phrases as [string, string, string];
  if (wording.form === "alone") {
    const { where } = wording;
    return where
      ? { plain: [`${a} ${where}`], turned: [`${where} ${isAre(named, a)} ${a}`.replace("there ", "")] }
      : { plain: [a], turned: [] };
  }
  if (wording.form === "row") {
    const back = listPhrase([...phrases].reverse());
    return {
      plain: [`${listPhrase(phrases)} in a row`, `${back} in a row`, `${listPhrase(phrases)} side by side`],
      turned: [],
    };
  }
  if (wording.form === "between") {
    return {
      plain: [`${b} between ${a} and ${c}`, `${b} between ${c} and ${a}`],
      turned: [`between ${a} and ${c}, ${b}`],
    };
  }
  const list = (indices: readonly number[]): string => listPhrase(indices.map((i) => item(phrases, i)));
  const [one, two] = [list(wording.subject), list(wording.object)];
  const { relation } = wording;
  if (relation === "next to") {
    const both = [`${one} and ${two} side by side`, `${two} and ${one} side by side`];
    return { plain: [`${one} next to ${two}`, `${two} next to ${one}`, `${one} beside ${two}`, ...both], turned: [] };
  }
  const plain = [`${one} ${relation} ${two}`, `${two} ${OPPOSITE[relation]} ${one}`];
  if (relation === "to the left of" || relation === "to the right of") {
    const [left, right] = relation === "to the left of" ? [one, two] : [two, one];
    return {
      plain: [...plain, `${left} on the left and ${right} on the right`],
      turned: [`on the left ${left}, on the right ${right}`],
    };
  }
  const [upper, lower] = relation === "above" || relation === "over" ? [one, two] : [two, one];
  const words = [
    `${upper} above ${lower}`,
    `${upper} over ${lower}`,
    `${lower} below ${upper}`,
    `${lower} under ${upper}`,
  ];
  return { plain: [...new Set([...plain, ...words])], turned: [`at the top ${upper}, at the bottom ${lower}`] };
}

/** "there is" or "there are", by the first group that is said. */
function isAre(named: readonly Named[], core: string): string {
  const first = named.find((own) => core.startsWith(namePhrase(own)));
  const { kind, unit } = nounOf(first?.noun ?? item(named, 0).noun);
  return (first?.count ?? 1) > 1 || (kind === "plural" && unit === undefined) ? "there are" : "there is";
}
