/** How a batch is divided: among processes, and into pieces that a process computes one after the other. */
import type { Communicator } from "../../distributed/communicator.ts";
import type { Value, Values } from "../../runtime/index.ts";
import { namedValue } from "./values.ts";

/** The examples of a micro-batch that are computed together: all of it, or a share. */
export interface Part {
  /** Their numbers in the endless sequence that a run goes through. */
  readonly examples: readonly number[];
  /** Which rows of the whole micro-batch they are, and how many it has. */
  readonly rows: readonly number[];
  readonly of: number;
}

/** Share number `share` of micro-batch `micro`: every `shares`-th row, so that all shares are alike. */
export function partOf(micro: number, batch: number, share = 0, shares = 1): Part {
  const rows = Array.from({ length: batch / shares }, (_, i) => share + i * shares);
  return { examples: rows.map((row) => micro * batch + row), rows, of: batch };
}

/**
 * Rows of a part from values drawn for the whole micro-batch. What is random is drawn for all rows by every share, so that
 * an example gets the same numbers however the batch is divided.
 */
export function rowsOfPart(whole: Float32Array<ArrayBuffer>, { rows, of }: Part): Float32Array<ArrayBuffer> {
  if (rows.length === of) return whole;
  const width = whole.length / of;
  const out = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) out.set(whole.subarray(row * width, (row + 1) * width), i * width);
  return out;
}

/** Values of all shares, in order. own: those that this process computes, with the same names and shapes. */
export async function gatherShares(ranks: Communicator, own: readonly Values[]): Promise<Values[]> {
  if (ranks.size === 1) return [...own];
  const all = Array.from({ length: own.length * ranks.size }, (): Record<string, Value> => ({}));
  for (const name of Object.keys(own[0] ?? {})) {
    const values = own.map((share) => namedValue(share, name));
    const lengths = values.map(({ data }) => data.byteLength);
    const bytes = new Uint8Array(lengths.reduce((a, b) => a + b, 0));
    let at = 0;
    for (const { data } of values) {
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
      at += data.byteLength;
    }
    for (const [rank, { buffer }] of (await ranks.gather(bytes)).entries()) {
      let start = 0;
      for (const [i, { shape, data }] of values.entries()) {
        const Type = data instanceof Int32Array ? Int32Array : Float32Array;
        all[rank * own.length + i]![name] = { shape, data: new Type(buffer, start, data.length) };
        start += data.byteLength;
      }
    }
  }
  return all;
}

/** The outputs that have rows, of the whole micro-batch in its order. */
export function wholeRows(shares: readonly Values[]): Values {
  const [first = {}] = shares;
  if (shares.length === 1) return first;
  const whole: Record<string, Value> = {};
  for (const [name, { shape, data }] of Object.entries(first)) {
    const [count = 0, ...row] = shape;
    if (count === 0) continue;
    const width = data.length / count;
    const out =
      data instanceof Int32Array
        ? new Int32Array(data.length * shares.length)
        : new Float32Array(data.length * shares.length);
    for (const [s, values] of shares.entries())
      for (let i = 0; i < count; i++)
        out.set(namedValue(values, name).data.subarray(i * width, (i + 1) * width), (i * shares.length + s) * width);
    whole[name] = { shape: [count * shares.length, ...row], data: out };
  }
  return whole;
}
