/** Problems of data sets, entry by entry: counted by kind, the first of each kind named. Nothing is left out silently. */

/** How many problems of one kind are listed. */
const NAMED = 5;

export interface ProblemCount {
  readonly count: number;
  /** The first of them. */
  readonly first: readonly string[];
}

/** "missing pictures": { count: 3, first: [..] }. */
export type ProblemTable = Readonly<Record<string, ProblemCount>>;

export class Problems {
  readonly #kinds = new Map<string, { count: number; first: string[] }>();
  readonly #onProblem: ((kind: string, name: string) => void) | undefined;

  /** @param onProblem called with each problem that is listed */
  constructor(onProblem?: (kind: string, name: string) => void) {
    this.#onProblem = onProblem;
  }

  add(kind: string, name: string): void {
    const known = this.#kinds.get(kind) ?? { count: 0, first: [] };
    this.#kinds.set(kind, known);
    if (known.count++ >= NAMED) return;
    known.first.push(name);
    this.#onProblem?.(kind, name);
  }

  get count(): number {
    return [...this.#kinds.values()].reduce((sum, { count }) => sum + count, 0);
  }

  table(): ProblemTable {
    return Object.fromEntries(this.#kinds);
  }
}
