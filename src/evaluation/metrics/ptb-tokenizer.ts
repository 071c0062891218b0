/**
 * Penn Treebank tokens of captions without Java, as COCO's caption evaluation makes them: CoreNLP 3.4.1's PTBTokenizer with
 * -preserveLines -lowerCase, then punctuation removed. Like that tokenizer it is a lexer: of all rules that match, the
 * longest match wins, the first of equally long ones. Tested against the published jar (test/fixtures/captions).
 */
import { ABBREVIATIONS, CAPITAL_ABBREVIATIONS, NUMBER_ABBREVIATIONS } from "./ptb-abbreviations.ts";

/** Tokens that COCO's evaluation removes. Its list has brackets as -LRB-, which never match small letters: they stay. */
const REMOVED = new Set("'' ' `` ` . ? ! , : - -- ... ;".split(" "));

interface Rule {
  /** Sticky. The first group is the token; what follows it only makes the match longer. Without a group all of it. */
  readonly pattern: RegExp;
  /** What the token is written as. Default: as it is. */
  readonly written?: string | ((token: string) => string | undefined);
}

const rule = (source: string, written?: Rule["written"], flags = "iuy"): Rule => ({
  pattern: new RegExp(source, flags),
  written,
});

const L = String.raw`[\p{L}\p{M}]`;
const D = String.raw`\p{Nd}`;
const LD = String.raw`[\p{L}\p{M}\p{Nd}]`;
const APOS = "['\u2019]";
const NUMBER = `(?:${D}*(?:[.:,]${D}+)+|${D}+)`;
const ACRONYM = String.raw`[a-z](?:\.[a-z])+`;
const SLASHED = "[a-z0-9]+(?:-[a-z]+){0,2}";
const URL_END = String.raw`[^\s"<>|()]*[^\s"<>|.!?(){},\-]`;

/** A word and its period, if that is an abbreviation. */
function abbreviation(token: string): string | undefined {
  const word = token.slice(0, -1);
  const small = word.toLowerCase();
  const capital = word !== small && CAPITAL_ABBREVIATIONS.has(small);
  return small.length === 1 || ABBREVIATIONS.has(small) || capital ? token : undefined;
}

function numberAbbreviation(token: string): string | undefined {
  return NUMBER_ABBREVIATIONS.has(token.slice(0, -1).toLowerCase()) ? token : undefined;
}

/** A token has no spaces: those inside become no-break spaces. */
const unbroken = (token: string): string => token.replace(/\s+/g, "\u00a0");

/** Contractions are written with a straight apostrophe. */
const straight = (token: string): string => token.replace("\u2019", "'");

/** What the tokenizer has no rule for is left out: emoji and other characters beyond the first plane, a few marks. */
const UNKNOWN = /[\u{10000}-\u{10ffff}\u2012\u200b-\u200f\u300c\u300d]/u;

const RULES: readonly Rule[] = [
  // contractions
  rule("(can)not"),
  rule("(gon(?=na)|got(?=ta)|lem(?=me)|gim(?=me)|wan(?=na))(?:na|ta|me)"),
  rule(`('t)(?:is|was)(?!${LD})`),
  rule(`(${L}+)n${APOS}t(?!${LD})`),
  rule(`n${APOS}t(?!${LD})`, straight),
  rule(`${APOS}(?:[msd]|re|ve|ll)(?!${LD})`, straight),
  rule(`(y${APOS})${L}`),
  // words with an apostrophe inside: elisions, names
  rule(`${APOS}n(?:${APOS}|(?!${LD}))`),
  rule(`[ldj]${APOS}`),
  rule(`(?:ol|somethin|dunkin)${APOS}|${APOS}(?:em|till?|cause)(?!${LD})`),
  rule(`${APOS}[2-9]0s(?!${LD})`),
  rule(`(${APOS}[0-9][0-9])\\s`),
  rule(`[a-hj-xz]${APOS}${L}{2,}`),
  rule(`${L}+[aeiouy]${APOS}[aeiou]${L}*`),
  rule(`cont${APOS}d|c${APOS}mon|e${APOS}er|s${APOS}mores|ev${APOS}ry|li${APOS}l|nat${APOS}l|nor${APOS}easter`),
  // addresses
  rule(`https?://${URL_END}`),
  rule(
    String.raw`(?:www\.(?:[^\s"<>|.!?(){},]+\.)+[a-z]{2,4}|(?:[^\s"'<>|.!?(){},$\-_]+\.)+(?:com|net|org|edu))(?:/${URL_END})?`,
  ),
  rule(String.raw`[a-z0-9][^\s"<>|(){}@]*@(?:[^\s"<>|(){}.@]+\.)*[^\s"<>|(){}.@]+`),
  rule(`[@#]${L}(?:${LD}|_)+`),
  rule(`</?[a-z!?][^<>]*>`, unbroken),
  // numbers
  rule(`[-+]?${NUMBER}`),
  rule(String.raw`(?:${D}{1,4}[- \u00a0])?${D}{1,4}[/\u2044]${D}{1,4}`, unbroken),
  rule(`${D}{1,2}[-/]${D}{1,2}[-/]${D}{2,4}`),
  rule(String.raw`\(${D}{3}\)[- \u00a0]?${D}{3}[- \u00a0]${D}{4}`, (token) =>
    unbroken(token).replace("(", "-lrb-").replace(")", "-rrb-"),
  ),
  rule("\u00bd", "1/2"),
  rule("\u00bc", "1/4"),
  rule("\u00be", "3/4"),
  rule(String.raw`[a-z]*\$|#`),
  rule("[\u20ac\u20a0\u00a4\u0080]", "$"),
  rule("\u00a3", "#"),
  rule("\u00a2", "cents"),
  // words
  rule(`${LD}+(?:[-_\u2010\u2011]${LD}+)*`),
  rule(`${L}${LD}*(?:[.!?]${L}${LD}*)*`),
  rule("[A-Z]+(?:[+&][A-Z]+)+", undefined, "uy"),
  rule(`${SLASHED}(?:/${SLASHED}){1,2}`),
  rule(String.raw`[a-z0-9][a-z0-9.,]*(?:-(?:[a-z0-9]+|${ACRONYM}\.))+`),
  rule(String.raw`c(?:\+\+|#)|ph\.d\.`),
  rule(String.raw`${ACRONYM}\.?`),
  rule(String.raw`[a-z]+\.`, abbreviation),
  rule(String.raw`([a-z]+\.)\s*\d`, numberAbbreviation),
  rule("(?:pro|anti)-"),
  // signs
  rule(String.raw`([<>]?[:;=][-o*']?[()DPdpO\\{@|[\]])(?:[^A-Za-z]|$)`, (token) => brackets(token), "uy"),
  rule(`[-^x=~<>']_[-^x=~<>']`),
  rule(String.raw`\.{3}|\. \. \.|\u2026`, "..."),
  rule("-{2,}|[\u2013\u2014\u2015]", "--"),
  rule("[\u2010\u2011]", "-"),
  rule("[?!]+"),
  rule("\\*+|_+"),
  rule('(")[a-z0-9$]|\u201c|\u00ab|``', "``"),
  rule("\"|\u201d|\u00bb|''", "''"),
  rule("(')[a-z0-9]|[\u2018\u201b\u2039`]", "`"),
  rule("['\u2019\u203a]", "'"),
  rule("&amp;", "&"),
  rule("&quot;", "''"),
  rule("&nbsp;", ""),
  rule("&lt;", "<"),
  rule("&gt;", ">"),
  rule("[()[\\]{}]", (token) => brackets(token)),
  rule("[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]+"),
  rule("\\S", (sign) => (UNKNOWN.test(sign) ? "" : sign)),
];

const NAMES: Readonly<Record<string, string>> = {
  "(": "lrb",
  ")": "rrb",
  "[": "lsb",
  "]": "rsb",
  "{": "lcb",
  "}": "rcb",
};

function brackets(text: string): string {
  return text.replace(/[()[\]{}]/g, (bracket) => `-${NAMES[bracket]}-`);
}

/** The tokens of a caption, punctuation included, in small letters. */
export function ptbTokens(caption: string): string[] {
  const line = caption.replace(/\u00ad|\ufe0f/g, ""); // soft hyphens, and marks that choose the look of an emoji
  const tokens: string[] = [];
  for (let at = 0; at < line.length; ) {
    if (/\s/.test(line[at] ?? "")) {
      at++;
      continue;
    }
    let best = { length: 0, taken: 1, written: "" };
    for (const { pattern, written } of RULES) {
      pattern.lastIndex = at;
      const match = pattern.exec(line);
      if (!match || match[0].length <= best.length) continue;
      const token = match[1] ?? match[0];
      const text = typeof written === "function" ? written(token) : (written ?? token);
      if (text !== undefined) best = { length: match[0].length, taken: token.length, written: text };
    }
    if (best.written !== "") tokens.push(best.written.toLowerCase());
    at += best.taken;
  }
  return tokens;
}

/** A caption as COCO's evaluation compares it: tokens without punctuation, separated by single spaces. */
export function ptbTokenize(caption: string): string {
  return ptbTokens(caption)
    .filter((token) => !REMOVED.has(token))
    .join(" ");
}
