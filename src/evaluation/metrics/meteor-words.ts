/** Words of a caption as METEOR 1.5 compares them: its `-norm` for English, after Penn Treebank tokens. */

const L = String.raw`\p{L}`;
const CONTRACTIONS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [new RegExp(`([^${L}])'([^${L}])`, "gu"), "$1 ' $2"],
  [new RegExp(String.raw`([^${L}\p{Nd}])'(${L})`, "gu"), "$1 ' $2"],
  [new RegExp(`(${L})'([^${L}])`, "gu"), "$1 ' $2"],
  [new RegExp(`(${L})'(${L})`, "gu"), "$1 '$2"],
  [/(\p{Nd})'(s)/gu, "$1 '$2"],
];
/** Abbreviations that keep their period at the end of a caption. */
const PREFIXES = new Set(["v", "vs", "i.e", "rev", "e.g"]);

/** caption: tokens separated by spaces, in small letters -> words */
export function meteorWords(caption: string): string[] {
  let text = ` ${caption} `
    .replace(/([^\p{L}\p{Nd}\s.'`,\-\u2018\u2019])/gu, " $1 ")
    .replace(/(\P{Nd}),(\P{Nd})/gu, "$1 , $2")
    .replace(/(\p{Nd}),(\P{Nd})/gu, "$1 , $2")
    .replace(/(\P{Nd}),(\p{Nd})/gu, "$1 , $2")
    .replace(/[`\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]|''/g, ' " ')
    .replace(/\u2013|--/g, "-");
  for (const [pattern, replacement] of CONTRACTIONS) text = text.replace(pattern, replacement);
  text = text.replace(/([\p{L}\p{Nd}.])-([\p{L}\p{Nd}])/gu, "$1 $2");
  const words = text.split(/\s+/).filter((word) => word !== "");
  return words.flatMap((word, i) => withoutPeriod(word, words[i + 1]));
}

/** The period of an abbreviation goes, or stays with it; that of a sentence is a word of its own. */
function withoutPeriod(word: string, next: string | undefined): string[] {
  if (!word.endsWith(".") || /^\.+$/.test(word)) return [word];
  const before = word.slice(0, -1);
  if (before.includes(".") && /\p{L}/u.test(before)) return [before.replaceAll(".", "")];
  const stays = PREFIXES.has(before) || (next !== undefined && /^\p{Ll}/u.test(next));
  return stays ? [word] : [before, "."];
}
