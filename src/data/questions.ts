/** Questions about a scene with short answers, for the stages that learn to talk about pictures. */

import { item } from "../base/item.ts";
import type { Rng } from "../base/rng.ts";
import { CLEARLY, centerOf, OPPOSITE, positionPhrase, type SceneFacts, sizeRatio } from "./captions.ts";
import { firstPlace } from "./layout.ts";
import { nounOf } from "./nouns.ts";
import { isCountable, numberWord, onePhrase, pluralPhrase, takesColor, thePhrase } from "./phrases.ts";

export const QUESTION_KINDS = [
  "count-all",
  "count",
  "background",
  "color",
  "what-is",
  "where",
  "relation",
  "bigger",
  "exists",
  "absent",
] as const;

export interface Question {
  readonly kind: (typeof QUESTION_KINDS)[number];
  readonly question: string;
  readonly answer: string;
}

/**
 * About five questions on a scene.
 *
 * @param nouns those that "is there ...?" may ask about though they are absent
 * @param balanced asks for the color of every object, and for absent objects that are like those present; and of some
 * absent object how many, where or of what color it is, which is answered by "there is no dog"
 */
export function askAbout(facts: SceneFacts, nouns: readonly string[], rng: Rng, balanced = false): Question[] {
  const { groups, layout, background } = facts;
  const asked: Question[] = [];
  const ask = (kind: Question["kind"], question: string, answer: string) => asked.push({ kind, question, answer });
  const yesNo = (yes: boolean): string => (yes ? "yes" : "no");
  const names = groups.map((group) => group.sprite.noun);
  const countable = names.every(isCountable);
  const pick = rng.int(groups.length);
  const chosen = item(groups, pick);
  const { sprite, count } = chosen;
  const { subject, verb } = thePhrase(sprite.noun);

  if (countable && rng.next() < 0.5) {
    const total = groups.reduce((sum, group) => sum + group.count, 0);
    ask("count-all", "how many things are there?", numberWord(total));
  }
  if (isCountable(sprite.noun) && rng.next() < (count > 1 ? 1 : 0.3)) {
    ask("count", `how many ${pluralPhrase(sprite.noun)} are there?`, numberWord(count));
  }
  if (background.from === background.to) ask("background", "what color is the background?", background.from);
  for (const { sprite, count } of balanced ? groups : [chosen]) {
    const { subject, verb } = thePhrase(sprite.noun);
    if (sprite.color && count === 1 && takesColor(sprite.noun))
      ask("color", `what color ${verb} ${subject}?`, sprite.color);
  }
  if (groups.length === 1) {
    ask("what-is", "what is in the picture?", count > 1 ? pluralPhrase(sprite.noun) : onePhrase(sprite.noun));
    const where = count === 1 ? positionPhrase(firstPlace(layout)) : undefined;
    if (where) ask("where", `where ${verb} ${subject}?`, where);
  } else {
    const other = (pick + 1 + rng.int(groups.length - 1)) % groups.length;
    askRelation(facts, pick, other, ask, rng);
  }
  if (facts.kind === "pair") {
    const ratio = sizeRatio(layout);
    if (ratio > CLEARLY || ratio < 1 / CLEARLY) {
      ask("bigger", `which is bigger, the ${names[0]} or the ${names[1]}?`, `the ${ratio > 1 ? names[0] : names[1]}`);
    }
  }
  const absentee = balanced ? likeNoun : absentNoun;
  const absent = rng.next() < 0.5 ? absentee(names, nouns, rng) : undefined;
  const wanted = absent ?? sprite.noun;
  const plural = nounOf(wanted).kind === "plural" && nounOf(wanted).unit === undefined;
  ask("exists", `${plural ? "are" : "is"} there ${anyPhrase(wanted)}?`, yesNo(!absent));
  const missing = balanced && rng.next() < ABSENT_SHARE ? likeNoun(names, nouns, rng) : undefined;
  if (missing) askAbsent(missing, ask, rng);
  return asked;
}

/** How often an absent object is asked about as if it were there: rarely enough that "there is no" is not a habit. */
const ABSENT_SHARE = 0.09;

function askAbsent(
  noun: string,
  ask: (kind: Question["kind"], question: string, answer: string) => void,
  rng: Rng,
): void {
  const { subject, verb } = thePhrase(noun);
  const questions = [
    ...(isCountable(noun) ? [`how many ${pluralPhrase(noun)} are there?`] : []),
    ...(takesColor(noun) ? [`what color ${verb} ${subject}?`] : []),
    `where ${verb} ${subject}?`,
  ];
  ask("absent", rng.pick(questions), `there ${verb} no ${subject.replace(/^the /, "")}`);
}

function askRelation(
  { groups, layout }: SceneFacts,
  a: number,
  b: number,
  ask: (kind: Question["kind"], question: string, answer: string) => void,
  rng: Rng,
): void {
  const [one, two] = [item(groups, a), item(groups, b)];
  const [p, q] = [centerOf(item(layout.places, a)), centerOf(item(layout.places, b))];
  const sideways = Math.abs(p.x - q.x) > Math.abs(p.y - q.y);
  const relation = sideways ? (p.x < q.x ? "to the left of" : "to the right of") : p.y < q.y ? "above" : "below";
  const phrase = (group: (typeof groups)[number]) =>
    group.count > 1 ? `the ${pluralPhrase(group.sprite.noun)}` : `the ${group.sprite.noun}`;
  const verb = (group: (typeof groups)[number]) => (group.count > 1 ? "are" : thePhrase(group.sprite.noun).verb);
  // In larger scenes several objects can be on one side, so only those of a pair are identified by their position.
  if (groups.length === 2 && rng.next() < 0.5) {
    ask("what-is", `what is ${relation} ${phrase(two)}?`, phrase(one));
  } else {
    ask("where", `where ${verb(one)} ${phrase(one)}?`, `${relation} ${phrase(two)}`);
  }
  const asked = rng.next() < 0.5 ? relation : OPPOSITE[relation];
  ask("relation", `${verb(one)} ${phrase(one)} ${asked} ${phrase(two)}?`, asked === relation ? "yes" : "no");
}

/** "a dog", "any sparkles", "any sushi". */
const anyPhrase = (noun: string): string => onePhrase(noun).replace(/^some /, "any ");

/** A noun that is not in the picture; in seven of ten cases, of the first noun's subgroup if one is found. */
function absentNoun(present: readonly string[], nouns: readonly string[], rng: Rng): string | undefined {
  const subgroup = nounOf(item(present, 0)).subgroup;
  const strict = rng.next() < 0.7;
  for (let tries = 0; tries < 24; tries++) {
    const noun = rng.pick(nouns);
    if (present.includes(noun)) continue;
    if (!strict || tries > 12 || nounOf(noun).subgroup === subgroup) return noun;
  }
  return undefined;
}

/** A noun that is not in the picture, of the subgroup of one that is, or else of its group, or else any. */
function likeNoun(present: readonly string[], nouns: readonly string[], rng: Rng): string | undefined {
  const { group, subgroup } = nounOf(rng.pick(present));
  const absent = nouns.filter((noun) => !present.includes(noun));
  const near = absent.filter((noun) => nounOf(noun).subgroup === subgroup);
  const related = near.length > 0 ? near : absent.filter((noun) => nounOf(noun).group === group);
  const chosen = related.length > 0 ? related : absent;
  return chosen[rng.int(chosen.length)];
}
