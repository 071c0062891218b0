/** Caption metrics of a corpus in percent, with intervals, from captions as people and models write them. */

import { SetupError } from "../../base/errors.ts";
import { bleuOfSums, bleuRows } from "../metrics/bleu.ts";
import { bootstrap, bootstrapSums, type Interval, type Statistic } from "../metrics/bootstrap.ts";
import type { CaptionPair } from "../metrics/caption-pairs.ts";
import { ciderD } from "../metrics/cider-d.ts";
import { meteor, meteorOfSums, type SynonymTest } from "../metrics/meteor.ts";
import { ptbTokenize } from "../metrics/ptb-tokenizer.ts";
import { rougeL } from "../metrics/rouge-l.ts";
import { spice } from "../metrics/spice.ts";
import { WordNetSynonyms } from "../metrics/wordnet-synonyms.ts";

export interface CaptionScoring {
  /** WordNet for METEOR, or why there is none. */
  readonly synonyms: SynonymTest | { readonly missing: string };
  /** Path of spice-1.0.jar. */
  readonly spiceJar?: string;
  readonly signal?: AbortSignal;
}

const PERCENT = 100;

/** With WordNet, if it is installed. */
export async function openScoring(options: Omit<CaptionScoring, "synonyms">): Promise<CaptionScoring> {
  const synonyms = await WordNetSynonyms.open().catch((error: unknown) => {
    if (error instanceof SetupError) return { missing: "needs WordNet: npm run texts" };
    throw error;
  });
  return { ...options, synonyms };
}

export async function captionMetrics(
  raw: readonly CaptionPair[],
  { synonyms, spiceJar, signal }: CaptionScoring,
): Promise<{ scores: Record<string, Interval>; notRun: Record<string, string> }> {
  const pairs = raw.map(({ candidate, references }) => ({
    candidate: ptbTokenize(candidate),
    references: references.map(ptbTokenize),
  }));
  const notRun: Record<string, string> = {};
  const rows = bleuRows(pairs);
  const bleuN =
    (n: number): Statistic =>
    (sums) =>
      PERCENT * (bleuOfSums(sums)[n - 1] ?? Number.NaN);
  const mean = (each: readonly number[]): Interval => bootstrap(each.map((value) => PERCENT * value));
  const scores: Record<string, Interval> = {};
  for (const n of [1, 2, 3, 4]) scores[`BLEU-${n}`] = bootstrapSums(rows, bleuN(n));
  if ("missing" in synonyms) notRun.METEOR = synonyms.missing;
  else scores.METEOR = bootstrapSums(meteor(pairs, synonyms).sums, (sums) => PERCENT * meteorOfSums(sums));
  scores["ROUGE-L"] = mean(rougeL(pairs).each);
  scores["CIDEr-D"] = mean(ciderD(pairs).each);
  if (spiceJar === undefined) notRun.SPICE = "needs Java and the published jar. Name it: --spice spice-1.0.jar";
  else scores.SPICE = mean((await spice(pairs, { jar: spiceJar, signal })).each);
  return { scores, notRun };
}
