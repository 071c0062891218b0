/**
 * The header of a safetensors file, believed only after every claim is checked against the file.
 * Layout: u64 length of the header, JSON, then the tensors' bytes without gaps. @see the safetensors format description
 */

import { CheckpointError } from "../base/errors.ts";
import { duplicateKey, members } from "../base/json-keys.ts";
import { quote, reason, show } from "../base/one-line.ts";
import { DTYPE_BYTES, isStoredDtype, type StoredDtype } from "./dtypes.ts";
import { Problems } from "./problems.ts";
import type { TensorInfo } from "./tensor-file.ts";

/** The format's own limit on the JSON. */
export const MAX_HEADER_BYTES = 100_000_000;

/** The largest files of published models have a few thousand tensors, and notes of a megabyte at most. */
export const MAX_TENSORS = 200_000;
const MAX_METADATA_CHARACTERS = 10_000_000;
const MAX_NOTES = 10_000;
/** As in PyTorch. */
const MAX_DIMENSIONS = 64;

const METADATA = "__metadata__";

/** A tensor whose bytes are in one piece at an absolute offset of the file. */
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
 * @throws CheckpointError that lists the first entries that are wrong.
 */
export function parseHeader(json: Uint8Array, dataStart: number, fileSize: number, where: string): SafetensorsHeader {
  const metadata = new Map<string, string>();
  const tensors = new Map<string, SafetensorsInfo>();
  const problems = new Problems();
  for (const [name, value] of parseMembers(json, where)) {
    if (name === METADATA) {
      for (const [key, note] of value as Map<string, string>) metadata.set(key, note);
      continue;
    }
    const entry = checkEntry(value, fileSize - dataStart);
    if (typeof entry === "string") {
      problems.add(`${quote(name)}: ${entry}`);
      if (problems.full) break;
      continue;
    }
    const [begin, end] = entry.range;
    const { dtype, shape } = entry;
    tensors.set(name, { dtype, shape, byteLength: end - begin, file: where, offset: dataStart + begin });
  }
  if (problems.list.length === 0) findGaps(tensors, dataStart, fileSize, problems);
  if (problems.list.length > 0) throw problems.error(`${where}: damaged header`);
  return { metadata, tensors };
}

/** An entry of a tensor is about a hundred characters long; a longer one would only be a way to fill the memory. */
const MAX_ENTRY_CHARACTERS = 10_000;

/**
 * The members of the header one by one, so that a hostile one fails before much is built. That of `__metadata__` is a
 * Map of strings.
 */
function* parseMembers(json: Uint8Array, where: string): Generator<[name: string, value: unknown]> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(json);
    let count = 0;
    for (const [name, value] of members(text)) {
      if (name === METADATA) {
        yield [name, parseNotes(value)];
        continue;
      }
      if (++count > MAX_TENSORS) throw new Error(`expected at most ${MAX_TENSORS} tensors, got more`);
      if (value.length > MAX_ENTRY_CHARACTERS) {
        throw new Error(`the entry ${quote(name)} has ${value.length} characters`);
      }
      const parsed: unknown = JSON.parse(value);
      const twice = duplicateKey(value);
      if (twice !== undefined) throw new Error(`duplicate key ${quote(twice)}`);
      yield [name, parsed];
    }
  } catch (error) {
    throw new CheckpointError(`${where}: damaged header (${reason(error)}). Copy the file again.`, [], {
      cause: error,
    });
  }
}

/** The value of `__metadata__`, an object of strings. */
function parseNotes(json: string): Map<string, string> {
  if (json.length > MAX_METADATA_CHARACTERS) throw new Error(`__metadata__ has ${json.length} characters`);
  const notes = new Map<string, string>();
  const wrong = "__metadata__: expected an object of strings";
  if (!json.trimStart().startsWith("{")) throw new Error(wrong);
  for (const [key, value] of members(json)) {
    if (!value.trimStart().startsWith('"')) throw new Error(wrong);
    if (notes.size === MAX_NOTES) throw new Error(`__metadata__: expected at most ${MAX_NOTES} notes, got more`);
    notes.set(key, JSON.parse(value) as string);
  }
  return notes;
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
  if (shape.length > MAX_DIMENSIONS) return `expected at most ${MAX_DIMENSIONS} dimensions, got ${shape.length}`;
  if (!isSizes(range) || range.length !== 2) return "expected data_offsets of two whole numbers";
  const [begin, end] = range as [number, number];
  if (begin > end || end > dataSize) return `bytes ${begin}..${end} are not inside the ${dataSize} bytes of data`;
  const expected = shape.reduce((product, n) => product * n, DTYPE_BYTES[dtype]);
  if (expected !== end - begin) return `${dtype} [${reason(shape.join())}] needs ${expected} bytes, got ${end - begin}`;
  return { dtype, shape, range: [begin, end] };
}

/** The tensors must cover the data exactly: no overlap, no hole, nothing after the last one. */
function findGaps(tensors: SafetensorsHeader["tensors"], dataStart: number, fileSize: number, problems: Problems) {
  const sorted = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const [name, { offset, byteLength }] of sorted) {
    if (problems.full) return;
    if (offset < end) problems.add(`${quote(name)} overlaps the tensor before it by ${end - offset} bytes`);
    if (offset > end) problems.add(`${offset - end} bytes before ${quote(name)} belong to no tensor`);
    end = Math.max(end, offset + byteLength);
  }
  if (end < fileSize) problems.add(`the last ${fileSize - end} bytes belong to no tensor`);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
