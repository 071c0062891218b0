/**
 * Reading zip archives by range, without trusting them: a size, offset or name that does not fit the file is an error.
 * Stored and deflated entries, zip64. @see PKWARE APPNOTE 4.3, 4.4, 4.5.3
 */
import { CheckpointError } from "../base/errors.ts";
import { quote, reason } from "../base/one-line.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { inflateRaw } from "../io/inflate.ts";

export interface ZipEntry {
  readonly name: string;
  /** Bytes once unpacked, and as they are in the file. */
  readonly size: number;
  readonly packedSize: number;
  readonly deflated: boolean;
  readonly headerOffset: number;
  /** Header and bytes end at or before this offset, where something else begins. */
  readonly limit: number;
}

export interface ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** Where the entry's bytes start in the file. @throws CheckpointError if they run into the next entry. */
  locate(entry: ZipEntry): Promise<number>;
  /** `length` unpacked bytes from `begin`; a deflated entry is unpacked as a whole for it. */
  read(entry: ZipEntry, begin: number, length: number): Promise<Uint8Array>;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

/** No deflate stream grows by more than this; a claim beyond it is a lie. */
const MAX_GROWTH = 1032;

/** The directory describes every entry in about a hundred bytes; a tensor is one entry. */
const MAX_DIRECTORY_BYTES = 64 * 1024 ** 2;

/** A deflated entry is unpacked in memory as a whole. torch.save deflates nothing, so larger ones are bombs. */
const MAX_UNPACKED_BYTES = 2 ** 31;

/** Reads the directory of an archive. @throws CheckpointError if it is damaged, encrypted or packed by another method */
export async function openZip(source: ByteSource): Promise<ZipArchive> {
  const entries = parseDirectory(await readDirectory(source), source);
  const starts = new Map<ZipEntry, number>();
  let unpacked: { entry: ZipEntry; bytes: Uint8Array } | undefined; // the last deflated entry that was read

  async function locate(entry: ZipEntry): Promise<number> {
    const known = starts.get(entry);
    if (known !== undefined) return known;
    const { headerOffset, limit, packedSize, name } = entry;
    const header = dataView(await source.read(headerOffset, Math.min(30, limit - headerOffset)));
    if (header.byteLength < 30 || header.getUint32(0, true) !== LOCAL) fail(`no entry at ${headerOffset}`, name);
    const start = headerOffset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
    if (start + packedSize > limit) fail(`${packedSize} bytes do not fit before offset ${limit}`, name);
    starts.set(entry, start);
    return start;
  }

  async function unpack(entry: ZipEntry): Promise<Uint8Array> {
    if (unpacked?.entry === entry) return unpacked.bytes;
    if (entry.size > MAX_UNPACKED_BYTES) fail(`${entry.size} bytes are too many for a packed entry`, entry.name);
    const packed = await source.read(await locate(entry), entry.packedSize);
    const bytes = await inflateRaw(packed, entry.size).catch((error: unknown) =>
      fail(`damaged (${reason(error)})`, entry.name),
    );
    if (bytes.length !== entry.size) fail(`${entry.size} bytes claimed, ${bytes.length} unpacked`, entry.name);
    unpacked = { entry, bytes };
    return bytes;
  }

  async function read(entry: ZipEntry, begin: number, length: number): Promise<Uint8Array> {
    if (begin + length > entry.size) fail(`no ${length} bytes at ${begin}`, entry.name);
    if (!entry.deflated) return source.read((await locate(entry)) + begin, length);
    return new Uint8Array((await unpack(entry)).subarray(begin, begin + length));
  }

  function fail(problem: string, name: string): never {
    throw new CheckpointError(`${source.path}: damaged zip, entry ${quote(name)}: ${problem}.`);
  }

  return { entries, locate, read };
}

interface Directory {
  bytes: Uint8Array;
  offset: number;
  count: number;
}

/** Finds the central directory from the record at the end of the file. */
async function readDirectory(source: ByteSource): Promise<Directory> {
  const fail = (problem: string): never => {
    throw new CheckpointError(
      `${source.path}: expected a zip archive, ${problem}. The file is cut short or of another kind.`,
    );
  };
  const tailSize = Math.min(source.size, 22 + 0xffff);
  const tail = dataView(await source.read(source.size - tailSize, tailSize));
  let at = tailSize - 22;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  if (at < 0) fail("found no end record");
  let end = source.size - tailSize + at;
  let count = tail.getUint16(at + 10, true);
  let size = tail.getUint32(at + 12, true);
  let offset = tail.getUint32(at + 16, true);
  if (at >= 20 && tail.getUint32(at - 20, true) === LOCATOR_64) {
    end = Number(tail.getBigUint64(at - 12, true));
    const record = dataView(await source.read(end, 56));
    if (record.getUint32(0, true) !== END_64) fail(`found no zip64 record at ${end}`);
    count = Number(record.getBigUint64(32, true));
    size = Number(record.getBigUint64(40, true));
    offset = Number(record.getBigUint64(48, true));
  }
  if (offset + size > end || count * 46 > size) fail(`found a directory of ${count} entries that does not fit`);
  if (size > MAX_DIRECTORY_BYTES) fail(`found a directory of ${size} bytes`);
  return { bytes: await source.read(offset, size), offset, count };
}

function parseDirectory({ bytes, offset: directoryOffset, count }: Directory, source: ByteSource) {
  const view = dataView(bytes);
  const found: Omit<ZipEntry, "limit">[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== CENTRAL) {
      throw new CheckpointError(`${source.path}: damaged zip directory at entry ${i}.`);
    }
    const nameEnd = at + 46 + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > bytes.length) throw new CheckpointError(`${source.path}: damaged zip directory at entry ${i}.`);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, nameEnd));
    const problem = (text: string) => new CheckpointError(`${source.path}: zip entry ${quote(name)}: ${text}.`);
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    if (flags & 1) throw problem("encrypted; unpack it with its password first");
    if (method !== 0 && method !== 8) throw problem(`packed by method ${method}; expected stored or deflated`);
    if (/(^|\/)\.\.(\/|$)|^\/|\\|\0|^[a-z]:/i.test(name)) throw problem("the name leaves the archive");
    const [size, packedSize, headerOffset] = sizes(view, at, nameEnd, extraEnd);
    if (headerOffset + 30 + packedSize > directoryOffset) throw problem("is beyond the end of the archive");
    if (method === 0 ? size !== packedSize : size > packedSize * MAX_GROWTH) {
      throw problem(`claims ${size} bytes, holds ${packedSize}`);
    }
    found.push({ name, size, packedSize, deflated: method === 8, headerOffset });
    at = next;
  }
  found.sort((a, b) => a.headerOffset - b.headerOffset);
  const entries = new Map<string, ZipEntry>();
  for (const [i, entry] of found.entries()) {
    if (entries.has(entry.name)) {
      throw new CheckpointError(`${source.path}: duplicate zip entry ${quote(entry.name)}.`);
    }
    entries.set(entry.name, { ...entry, limit: found[i + 1]?.headerOffset ?? directoryOffset });
  }
  return entries;
}

/** Unpacked size, packed size and header offset; those that are all ones are stored, in this order, in the zip64 field. */
function sizes(view: DataView, at: number, nameEnd: number, extraEnd: number): [number, number, number] {
  const values = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
  for (let field = nameEnd; field + 4 <= extraEnd; field += 4 + view.getUint16(field + 2, true)) {
    if (view.getUint16(field, true) !== 1) continue;
    const end = Math.min(extraEnd, field + 4 + view.getUint16(field + 2, true));
    let from = field + 4;
    for (const [i, value] of values.entries()) {
      if (value !== 0xffffffff || from + 8 > end) continue;
      values[i] = Number(view.getBigUint64(from, true));
      from += 8;
    }
  }
  return values as [number, number, number];
}

function dataView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
