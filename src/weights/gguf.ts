/**
 * GGUF files (llama.cpp): metadata and quantized tensors, read by range. Every claim of the header is checked against
 * the size of the file before anything is allocated for it.
 * Layout: magic, version, counts, key-value pairs, tensor entries, then aligned data. @see ggml's docs/gguf.md
 */
import { CheckpointError } from "../base/errors.ts";
import { entry } from "../base/item.ts";
import { quote } from "../base/one-line.ts";
import { type ByteSource, memorySource } from "../io/byte-source.ts";
import { openByteSource } from "../io/files.ts";
import { GGUF_FORMATS } from "./gguf-blocks.ts";

export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

export interface GgufTensor {
  /** Name of the number format, for instance "Q4_K". */
  readonly type: string;
  /** Row-major, as everywhere here (the file lists axes in reverse). */
  readonly shape: readonly number[];
  readonly offset: number;
  readonly byteLength: number;
}

export interface GgufFile {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** The numbers, dequantized. @throws CheckpointError for an unknown name. */
  readFloat32(name: string): Promise<Float32Array>;
  /** The stored bytes. @throws CheckpointError for an unknown name. */
  readBytes(name: string): Promise<Uint8Array>;
  /** The file opened once more, without reading its header again; the caller closes it. @throws InputError if it is gone */
  reopen(): Promise<GgufFile>;
  close(): Promise<void>;
}

/** Opens a file and checks its header; the caller closes it. @throws InputError if missing, CheckpointError if damaged. */
export async function openGguf(path: string): Promise<GgufFile> {
  const source = await openByteSource(path);
  try {
    return await fromSource(source, () => openByteSource(path));
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The same for bytes in memory; `where` is what messages call them. */
export function parseGguf(bytes: Uint8Array, where: string): Promise<GgufFile> {
  return fromSource(memorySource(bytes, where), async () => memorySource(bytes, where));
}

/** Whether the bytes begin with GGUF's magic number. */
export function isGguf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && String.fromCharCode(...bytes.subarray(0, 4)) === "GGUF";
}

const FIRST_WINDOW = 2 ** 22;
/** The largest vocabularies need about 20 MB. */
const MAX_HEADER_BYTES = 2 ** 28;
const MAX_DEPTH = 4;

/** Thrown when the header is longer than the window in which it is read. */
class OutOfWindow extends Error {}

async function fromSource(source: ByteSource, open: () => Promise<ByteSource>): Promise<GgufFile> {
  const { path, size } = source;
  const limit = Math.min(size, MAX_HEADER_BYTES);
  for (let window = FIRST_WINDOW; ; window *= 8) {
    const length = Math.min(window, limit);
    try {
      return withHeader(parseHeader(await source.read(0, length), source), source, open);
    } catch (error) {
      if (!(error instanceof OutOfWindow)) throw error;
      if (length < limit) continue;
      throw damaged(path, length < size ? `a header of more than ${limit} bytes` : "the header is cut short");
    }
  }
}

function withHeader(header: Header, source: ByteSource, open: () => Promise<ByteSource>): GgufFile {
  const { path } = source;
  const { metadata, tensors, formats } = header;
  const readBytes = async (name: string): Promise<Uint8Array> => {
    const info = tensors.get(name);
    if (!info) throw new CheckpointError(`${path}: expected a tensor ${quote(name)}, found none.`);
    return source.read(info.offset, info.byteLength);
  };
  const readFloat32 = async (name: string): Promise<Float32Array> => {
    const bytes = await readBytes(name);
    return entry(GGUF_FORMATS, entry(formats, name)).decode(bytes);
  };
  const reopen = async (): Promise<GgufFile> => withHeader(header, await open(), open);
  return { path, metadata, tensors, readBytes, readFloat32, reopen, close: () => source.close() };
}

function damaged(path: string, what: string): CheckpointError {
  return new CheckpointError(`${path}: damaged GGUF file: ${what}. Copy the file again.`);
}

interface Header {
  readonly metadata: Map<string, GgufValue>;
  readonly tensors: Map<string, GgufTensor>;
  /** ggml's number of each tensor's format. */
  readonly formats: Map<string, number>;
}

function parseHeader(window: Uint8Array, { path, size }: ByteSource): Header {
  const r = new Reader(window, size, path);
  const magic = r.take(Math.min(4, size));
  if (!isGguf(magic)) throw new CheckpointError(`${path}: expected a GGUF file, got other bytes. Name a .gguf file.`);
  const version = r.u32();
  if (version !== 2 && version !== 3)
    throw new CheckpointError(`${path}: expected GGUF version 2 or 3, got ${version}. Convert the file again.`);
  const tensorCount = r.count("tensors", 25);
  const pairs = r.count("key-value pairs", 13);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < pairs; i++) {
    const key = r.text();
    if (metadata.has(key)) throw damaged(path, `duplicate key ${quote(key)}`);
    metadata.set(key, r.value(r.u32(), 0));
  }
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || alignment < 1 || alignment > 2 ** 20 || !Number.isInteger(Math.log2(alignment)))
    throw damaged(path, "expected a power of two as general.alignment");
  const entries = Array.from({ length: tensorCount }, () => r.entry());
  const start = Math.ceil(r.at / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  const formats = new Map<string, number>();
  for (const { name, shape, type, offset } of entries) {
    if (tensors.has(name)) throw damaged(path, `duplicate tensor ${quote(name)}`);
    const format = GGUF_FORMATS.get(type);
    if (!format) {
      const known = [...GGUF_FORMATS.values()].map((f) => f.name).join(", ");
      throw new CheckpointError(
        `${path}: expected numbers stored as ${known}, got type ${type} for ${quote(name)}. Take a file with another quantization.`,
      );
    }
    const elements = shape.reduce((product, n) => product * n, 1);
    const row = shape.at(-1) ?? 1;
    if (row % format.count !== 0)
      throw damaged(path, `${quote(name)} has rows of ${row} numbers, not a multiple of ${format.count}`);
    const byteLength = (elements / format.count) * format.bytes;
    if (offset % alignment !== 0 || start + offset + byteLength > size)
      throw damaged(path, `the ${byteLength} bytes of ${quote(name)} are not inside the file of ${size}`);
    tensors.set(name, { type: format.name, shape, offset: start + offset, byteLength });
    formats.set(name, type);
  }
  return { metadata, tensors, formats };
}

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly offset: number;
}

/** Bytes of the scalar types by number; 8 is a string, 9 an array. */
const SCALAR_BYTES: Readonly<Record<number, number>> = {
  ...{ 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 },
};

/** Reads little-endian values one after the other. */
class Reader {
  at = 0;
  readonly #window: Uint8Array;
  readonly #view: DataView;
  readonly #fileSize: number;
  readonly #path: string;
  readonly #decoder = new TextDecoder();

  constructor(window: Uint8Array, fileSize: number, path: string) {
    this.#window = window;
    this.#view = new DataView(window.buffer, window.byteOffset, window.byteLength);
    this.#fileSize = fileSize;
    this.#path = path;
  }

  /** Skips `length` bytes and returns where they start. */
  #skip(length: number): number {
    if (this.at + length > this.#fileSize) throw damaged(this.#path, "the header is cut short");
    if (this.at + length > this.#window.length) throw new OutOfWindow();
    this.at += length;
    return this.at - length;
  }

  take(length: number): Uint8Array {
    const start = this.#skip(length);
    return this.#window.subarray(start, start + length);
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  u64(what: string): number {
    const value = Number(this.#view.getBigUint64(this.#skip(8), true));
    if (!Number.isSafeInteger(value)) throw damaged(this.#path, `a claim of ${value} for ${what}`);
    return value;
  }

  /** A count of items of at least `bytes` bytes each, which must fit into the rest of the file. */
  count(what: string, bytes: number): number {
    const count = this.u64(what);
    if (count * bytes > this.#fileSize - this.at)
      throw damaged(this.#path, `a claim of ${count} ${what} in ${this.#fileSize} bytes`);
    return count;
  }

  text(): string {
    return this.#decoder.decode(this.take(this.count("bytes of text", 1)));
  }

  value(type: number, depth: number): GgufValue {
    if (type === 8) return this.text();
    if (type !== 9) return this.#scalar(type);
    if (depth >= MAX_DEPTH) throw damaged(this.#path, `arrays nested more than ${MAX_DEPTH} deep`);
    const item = this.u32();
    const count = this.count("array entries", SCALAR_BYTES[item] ?? 8);
    const values: GgufValue[] = [];
    for (let i = 0; i < count; i++) values.push(this.value(item, depth + 1));
    return values;
  }

  #scalar(type: number): number | bigint | boolean {
    const bytes = SCALAR_BYTES[type];
    if (bytes === undefined) throw damaged(this.#path, `a value of unknown type ${type}`);
    const [view, at] = [this.#view, this.#skip(bytes)];
    switch (type) {
      case 0:
        return view.getUint8(at);
      case 1:
        return view.getInt8(at);
      case 2:
        return view.getUint16(at, true);
      case 3:
        return view.getInt16(at, true);
      case 4:
        return view.getUint32(at, true);
      case 5:
        return view.getInt32(at, true);
      case 6:
        return view.getFloat32(at, true);
      case 7:
        return view.getUint8(at) !== 0;
      case 10:
        return view.getBigUint64(at, true);
      case 11:
        return view.getBigInt64(at, true);
      default:
        return view.getFloat64(at, true);
    }
  }

  /** Name, axes (fastest first), number format and offset of a tensor. */
  entry(): Entry {
    const name = this.text();
    const rank = this.u32();
    if (rank > 4) throw damaged(this.#path, `${quote(name)} claims ${rank} axes`);
    const shape = Array.from({ length: rank }, () => this.u64(`a dim of ${quote(name)}`)).reverse();
    return { name, shape, type: this.u32(), offset: this.u64(`the offset of ${quote(name)}`) };
  }
}
