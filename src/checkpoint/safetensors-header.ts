/**
 * The header of a safetensors file, believed only after every claim is checked against the file.
 * Layout: u64 length of the header, JSON, then the tensors' bytes without gaps. @see the safetensors format description
 */

import { CheckpointError } from "../errors.ts";
import { duplicateKey, members } from "../json-keys.ts";
import { quote, reason, show } from "../one-line.ts";
import { DTYPE_BYTES, isStoredDtype, type StoredDtype } from "./dtypes.ts";
import type { TensorInfo } from "./tensor-file.ts";

/** The format's own limit on the JSON. */
export const MAX_HEADER_BYTES = 100_000_000;

const METADATA = "__metadata__";

/** A tensor whose bytes lie in one piece at an absolute offset of the file. */
export interface SafetensorsInfo extends TensorInfo {
  readonly offset: number;
}

/** The first 8 bytes -> how many bytes of JSON follow. @throws CheckpointError if that cannot be true. */
export function headerLength(prefix: Uint8Array, fileSize: number, where: string): number {
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true));
  const limit = Math.min(MAX_HEADER_BYTES, fileSize - 8);
  if (length > limit) {
    throw new CheckpointError(
      `${where}: expected a safetensors header of at most ${limit} bytes, got a claim of ${length}. The file is damaged or of another kind.`,
    );
  }
  return length;
}

export interface SafetensorsHeader {
  metadata: Map<string, string>;
  /** In the order of the header. */
  tensors: Map<string, SafetensorsInfo>;
}

/**
 * Parses and checks the JSON of a header. `dataStart` is where the tensors' bytes begin.
 * @throws CheckpointError that lists every entry that is wrong.
 */
export function parseHeader(json: Uint8Array, dataStart: number, fileSize: number, where: string): SafetensorsHeader {
  const metadata = new Map<string, string>();
  const tensors = new Map<string, SafetensorsInfo>();
  const problems: string[] = [];
  for (const [name, value] of parseMembers(json, where)) {
    if (name === METADATA) {
      const notes = isObject(value) ? Object.entries(value) : [["", null] as const];
      for (const [key, note] of notes) {
        if (typeof note === "string") metadata.set(key, note);
        else problems.push("__metadata__: expected an object of strings");
      }
      continue;
    }
    const entry = checkEntry(value, fileSize - dataStart);
    if (typeof entry === "string") {
      problems.push(`${quote(name)}: ${entry}`);
      continue;
    }
    const [begin, end] = entry.range;
    const { dtype, shape } = entry;
    tensors.set(name, { dtype, shape, byteLength: end - begin, file: where, offset: dataStart + begin });
  }
  if (problems.length === 0) problems.push(...findGaps(tensors, dataStart, fileSize));
  if (problems.length > 0) {
    const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
    throw new CheckpointError(`${where}: damaged header: ${problems.slice(0, 3).join("; ")}${more}.`, problems);
  }
  return { metadata, tensors };
}

/** An entry of a tensor is about a hundred characters long; a longer one would only be a way to fill the memory. */
const MAX_ENTRY_CHARACTERS = 10_000;

/** The members of the header one by one, so that a hostile one fails before much is built. */
function* parseMembers(json: Uint8Array, where: string): Generator<[name: string, value: unknown]> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(json);
    for (const [name, value] of members(text)) {
      if (value.length > MAX_ENTRY_CHARACTERS && name !== METADATA) {
        throw new Error(`the entry ${quote(name)} has ${value.length} characters`);
      }
      const parsed: unknown = JSON.parse(value);
      const twice = duplicateKey(value);
      if (twice !== undefined) throw new Error(`the key ${quote(twice)} stands there twice`);
      yield [name, parsed];
    }
  } catch (error) {
    throw new CheckpointError(`${where}: damaged header (${reason(error)}). Copy the file again.`, [], {
      cause: error,
    });
  }
}

interface Entry {
  dtype: StoredDtype;
  shape: number[];
  range: [number, number];
}

/** The entry, or what is wrong with it. */
function checkEntry(value: unknown, dataSize: number): Entry | string {
  if (!isObject(value) || Object.keys(value).sort().join() !== "data_offsets,dtype,shape") {
    return "expected exactly dtype, shape and data_offsets";
  }
  const { dtype, shape, data_offsets: range } = value;
  if (!isStoredDtype(dtype)) return `unknown dtype ${show(dtype)}`;
  if (!isSizes(shape)) return "expected a shape of whole numbers";
  if (!isSizes(range) || range.length !== 2) return "expected data_offsets of two whole numbers";
  const [begin, end] = range as [number, number];
  if (begin > end || end > dataSize) return `bytes ${begin}..${end} are not inside the ${dataSize} bytes of data`;
  const expected = shape.reduce((product, n) => product * n, DTYPE_BYTES[dtype]);
  if (expected !== end - begin) return `${dtype} [${shape.join()}] needs ${expected} bytes, got ${end - begin}`;
  return { dtype, shape, range: [begin, end] };
}

/** The tensors must cover the data exactly: no overlap, no hole, nothing after the last one. */
function findGaps(tensors: ReadonlyMap<string, SafetensorsInfo>, dataStart: number, fileSize: number): string[] {
  const sorted = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  const problems: string[] = [];
  let end = dataStart;
  for (const [name, { offset, byteLength }] of sorted) {
    if (offset < end) problems.push(`${quote(name)} overlaps the tensor before it by ${end - offset} bytes`);
    if (offset > end) problems.push(`${offset - end} bytes before ${quote(name)} belong to no tensor`);
    end = Math.max(end, offset + byteLength);
  }
  if (end < fileSize) problems.push(`the last ${fileSize - end} bytes belong to no tensor`);
  return problems;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
