/**
 * Abbreviations that keep their period in Penn Treebank tokens, in small letters. Collected by giving CoreNLP 3.4.1's
 * tokenizer every word of up to nine letters in WordNet and every combination of two and three letters, with a period.
 */

const list = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/).filter((word) => word !== ""));

/** Whatever their case. */
export const ABBREVIATIONS = list(`
  adj adm adv al ala alex apr ariz assn attys aug ave bancorp bhd bldg blvd brig bros calif capt cf cie cmdr co col colo comdr
  conn corp cos cpl ct dak dec dept det dr drs ens esq est etc ext feb fla fri ft ga gen gov govs hon inc ind intl jan jos jr
  jul jun kan ky lieut lt ltd maj mar md messrs mich minn mme mo mon mont mr mrs ms mt neb nev nov oct okla penn pfc ph plc
  pres prof profs pvt rd rep reps rev rt sen sens sep sept seq sfc sgt spc sq sr st ste supt supts sys tel tenn thu thurs tue
  tues univ va vs vt wed wis wisc wm wyo mfg mtg pte pty ptys
`);

/** With a capital only: in small letters they are words, or abbreviations that lose the period. */
export const CAPITAL_ABBREVIATIONS = list("ark az del ill la mass miss ore pa tex wash");

/** Only before a number. */
export const NUMBER_ABBREVIATIONS = list("art ca fig figs no nos op pp prop");
