/** ROUGE-L with beta 1.2, as COCO's caption evaluation computes it: the best precision and the best recall of all references. */
import { type CaptionPair, type CaptionScores, expectPairs, mean } from "./caption-pairs.ts";
import { words } from "./ngrams.ts";

const BETA = 1.2;

export function rougeL(pairs: readonly CaptionPair[]): CaptionScores {
  expectPairs(pairs);
  const each = pairs.map(({ candidate, references }) => {
    const tokens = words(candidate);
    if (tokens.length === 0) return 0;
    const lists = references.map(words);
    const common = lists.map((list) => longestCommon(tokens, list));
    const precision = Math.max(...common.map((length) => length / tokens.length));
    const recall = Math.max(...common.map((length, i) => length / Math.max(lists[i]?.length ?? 0, 1)));
    if (precision === 0 || recall === 0) return 0;
    return ((1 + BETA ** 2) * precision * recall) / (recall + BETA ** 2 * precision);
  });
  return { score: mean(each), each };
}

/** Length of the longest common subsequence. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  let above = new Array<number>(b.length + 1).fill(0);
  for (const word of a) {
    const row = [0];
    b.forEach((other, j) => {
      row.push(word === other ? (above[j] ?? 0) + 1 : Math.max(row[j] ?? 0, above[j + 1] ?? 0));
    });
    above = row;
  }
  return above[b.length] ?? 0;
}
