/** Processes that work on one task together. */

/**
 * What they exchange. Ranks are numbered from 0 to size - 1, and all of them call the same methods in the same order, each
 * awaited before the next.
 */
export interface Communicator {
  readonly rank: number;
  readonly size: number;
  /** Adds up the values of all ranks, in place; every rank ends with the same bits. */
  sum(values: Float32Array<ArrayBuffer>): Promise<void>;
  /** The bytes of all ranks, by rank. All hand in the same number of them. */
  gather(own: Uint8Array): Promise<Uint8Array<ArrayBuffer>[]>;
  /** Resolves once all ranks have come this far. */
  barrier(): Promise<void>;
}

/** A process that works by itself. */
export const alone: Communicator = {
  rank: 0,
  size: 1,
  sum: async () => {},
  gather: async (own) => [own.slice()],
  barrier: async () => {},
};

/** The values of rank 0, on every rank. Of the others' `values` only the length matters. */
export async function fromFirst(ranks: Communicator, values: Float32Array): Promise<Float32Array<ArrayBuffer>> {
  const shared = ranks.rank === 0 ? values.slice() : new Float32Array(values.length);
  if (ranks.size > 1) await ranks.sum(shared);
  return shared;
}

/** A text of each rank, by rank. */
export async function gatherTexts(ranks: Communicator, own: string): Promise<string[]> {
  const bytes = new TextEncoder().encode(own);
  const lengths = await ranks.gather(new Uint8Array(Uint32Array.of(bytes.length).buffer));
  const counts = lengths.map(({ buffer }) => new Uint32Array(buffer)[0] ?? 0);
  const padded = new Uint8Array(Math.max(...counts));
  padded.set(bytes);
  const all = await ranks.gather(padded);
  return all.map((text, rank) => new TextDecoder().decode(text.subarray(0, counts[rank])));
}

/** Rank 0 does the work first; the others do the same afterwards and find on the disk what it made. */
export async function firstThenOthers<T>(ranks: Communicator, work: () => Promise<T>): Promise<T> {
  if (ranks.rank > 0) await ranks.barrier();
  const result = await work();
  if (ranks.rank === 0) await ranks.barrier();
  return result;
}
