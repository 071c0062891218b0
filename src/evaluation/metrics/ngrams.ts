/** Word n-grams and how often each occurs. */

/** The words of a tokenized caption; several spaces separate as one. */
export function words(caption: string): string[] {
  return caption.split(" ").filter((word) => word !== "");
}

/** Counts of the n-grams of length `n`, joined by spaces. */
export function ngramCounts(tokens: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let at = 0; at + n <= tokens.length; at++) {
    const ngram = tokens.slice(at, at + n).join(" ");
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}
