/** What is logged: means over steps and ranks, and their speed. */
import type { Communicator } from "../../distributed/communicator.ts";
import type { Values } from "../../runtime/index.ts";

/** Means of the scalars of several steps, and their speed. */
export class Averages {
  readonly #sums = new Map<string, { sum: number; count: number }>();
  #steps = 0;
  #since = performance.now();

  add(outputs: Values): void {
    for (const [name, { data, shape }] of Object.entries(outputs))
      if (shape.length === 0) this.addNumbers({ [name]: data[0] ?? Number.NaN });
  }

  addNumbers(numbers: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(numbers)) {
      const entry = this.#sums.get(name) ?? { sum: 0, count: 0 };
      this.#sums.set(name, { sum: entry.sum + value, count: entry.count + 1 });
      if (name === "gradientNorm") this.#steps++;
    }
  }

  /** Leaves an evaluation out of the speed. */
  restart(): void {
    this.#since = performance.now();
    this.#steps = 0;
  }

  async take(examplesPerStep: number, ranks: Communicator): Promise<Record<string, number>> {
    const seconds = (performance.now() - this.#since) / 1000;
    const own = [...this.#sums].map(([name, { sum, count }]) => [name, sum / count] as const);
    const means = Object.fromEntries(await meanOverRanks(own, ranks));
    const examplesPerSecond = (this.#steps * examplesPerStep) / Math.max(seconds, 1e-9);
    this.#sums.clear();
    this.restart();
    return { ...means, examplesPerSecond };
  }
}

/** All ranks have the same names. */
async function meanOverRanks(
  own: readonly (readonly [string, number])[],
  ranks: Communicator,
): Promise<readonly (readonly [string, number])[]> {
  if (ranks.size === 1) return own;
  const values = Float64Array.from(own, ([, value]) => value);
  const all = (await ranks.gather(new Uint8Array(values.buffer))).map(({ buffer }) => new Float64Array(buffer));
  return own.map(([name], i) => [name, all.reduce((sum, rank) => sum + rank[i]!, 0) / ranks.size]);
}
