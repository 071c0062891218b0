/**
 * METEOR's alignment of two captions word by word: as many words as possible, in as few chunks as possible. Its beam
 * search with its quirks, so that scores agree: matches of stems and synonyms do not count when partial alignments are
 * compared (their weights are truncated to whole words), and the distance of a match is added to the alignment that skips it.
 * Denkowski and Lavie 2014.
 */

import { item } from "../../base/item.ts";
/** Where a pair of words was matched: 0 exact, 1 stem, 2 synonym. */
export type Stage = 0 | 1 | 2;

export interface WordMatch {
  readonly stage: Stage;
  /** Positions in the candidate and in the reference. */
  readonly candidate: number;
  readonly reference: number;
}

export interface Alignment {
  readonly matches: readonly WordMatch[];
  /** Runs of matches that are adjacent and in the same order in both captions. */
  readonly chunks: number;
}

/** The tests of each stage, for words that differ. */
export type SameMeaning = readonly [
  stem: (a: string, b: string) => boolean,
  synonym: (a: string, b: string) => boolean,
];

const BEAM = 40;

interface Partial {
  /** By position in the reference. */
  readonly matches: readonly (WordMatch | undefined)[];
  readonly used: ReadonlySet<number>;
  readonly exact: number;
  readonly chunks: number;
  readonly distance: number;
  /** Where the next match would continue the chunk; -1 outside of one. */
  readonly end: number;
}

export function alignWords(
  candidate: readonly string[],
  reference: readonly string[],
  [sameStem, synonyms]: SameMeaning,
): Alignment {
  const identical = candidate.length === reference.length && candidate.every((word, i) => word === reference[i]);
  const options = reference.map((word, r): WordMatch[] => {
    const at = (stage: Stage, is: (own: string) => boolean): WordMatch[] =>
      candidate.flatMap((own, c) => (is(own) ? [{ stage, candidate: c, reference: r }] : []));
    const exact = at(0, (own) => own === word);
    if (identical) return exact;
    return [
      ...exact,
      ...at(1, (own) => own !== word && sameStem(own, word)),
      ...at(2, (own) => own !== word && synonyms(own, word)),
    ];
  });
  return search(options);
}

/** @param options matches of each word of the reference */
function search(options: readonly (readonly WordMatch[])[]): Alignment {
  const covered = new Map<number, number>();
  for (const { candidate } of options.flat()) covered.set(candidate, (covered.get(candidate) ?? 0) + 1);
  // Matches without a rival are made first.
  const fixed = options.map((some) =>
    some.length === 1 && covered.get(item(some, 0).candidate) === 1 ? some[0] : undefined,
  );
  const used = new Set(fixed.flatMap((match) => (match ? [match.candidate] : [])));
  let open: Partial[] = [{ matches: fixed, used, exact: 0, chunks: 0, distance: 0, end: -1 }];
  for (const [r, some] of options.entries()) {
    const next: Partial[] = [];
    for (const path of open.sort(compare).slice(0, BEAM)) {
      const own = fixed[r];
      if (own) {
        next.push({ ...extend(path, own), distance: path.distance + away(own) });
        continue;
      }
      let distance = path.distance;
      for (const match of some) {
        if (path.used.has(match.candidate)) continue;
        next.push({
          ...extend(path, match),
          matches: path.matches.with(r, match),
          used: new Set(path.used).add(match.candidate),
          distance,
        });
        distance += away(match);
      }
      next.push({ ...path, chunks: path.chunks + (path.end === -1 ? 0 : 1), end: -1, distance });
    }
    open = next;
  }
  const closed = open
    .sort(compare)
    .slice(0, BEAM)
    .map((path) => ({ ...path, chunks: path.chunks + (path.end === -1 ? 0 : 1) }));
  const best = item(closed.sort(compare), 0);
  return { matches: best.matches.filter((match) => match !== undefined), chunks: best.chunks };
}

function extend(path: Partial, { stage, candidate }: WordMatch): Partial {
  const breaks = path.end !== -1 && candidate !== path.end;
  return {
    ...path,
    exact: path.exact + (stage === 0 ? 1 : 0),
    chunks: path.chunks + (breaks ? 1 : 0),
    end: candidate + 1,
  };
}

function away({ candidate, reference }: WordMatch): number {
  return Math.abs(reference - candidate);
}

function compare(a: Partial, b: Partial): number {
  return b.exact - a.exact || a.chunks - b.chunks || a.distance - b.distance;
}
