/** Many pictures, captions or codes, computed a few at a time. */
import { UsageError } from "../base/errors.ts";
import type { Value } from "./index.ts";

export interface BatchOptions {
  /** Pictures computed at a time. Default 16. */
  readonly batch?: number;
  /** Stops before the next batch; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The results of `run`, one per batch. @throws UsageError if `batch` is not a whole number from 1 */
export async function inBatches<T, R>(
  items: readonly T[],
  { batch = 16, signal }: BatchOptions,
  run: (chunk: readonly T[]) => Promise<R>,
): Promise<R[]> {
  if (!Number.isInteger(batch) || batch < 1)
    throw new UsageError(`batch: expected a whole number from 1, got ${batch}.`);
  const results: R[] = [];
  for (let at = 0; at < items.length; at += batch) {
    signal?.throwIfAborted();
    results.push(await run(items.slice(at, at + batch)));
  }
  return results;
}

/** The rows of all values, one array per picture. */
export function rows<T extends Float32Array | Int32Array>(values: readonly Value[]): T[] {
  return values.flatMap(({ shape, data }) => {
    const [length = 0] = shape;
    const width = data.length / length;
    return Array.from({ length }, (_, b) => data.slice(b * width, (b + 1) * width) as T);
  });
}
