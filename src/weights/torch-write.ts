/**
 * Writing `.pt` files as torch.save does (1.6 and later): a stored zip of `data.pkl`, which names tensors as views of
 * storages, and one record per storage. One tensor in memory at a time; the file appears whole or not at all.
 */
import { concatBytes, utf8 } from "../base/bytes.ts";
import { CheckpointError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { writeAtomic } from "../io/files.ts";
import { crc32 } from "../io/hash.ts";
import { DTYPE_BYTES, encodeTensor, type StoredDtype } from "./dtypes.ts";
import type { TensorToWrite } from "./safetensors-write.ts";
import { STORAGE_DTYPES } from "./torch-zip.ts";

const STORAGES = new Map<StoredDtype, string>(Object.entries(STORAGE_DTYPES).map(([name, dtype]) => [dtype, name]));

/**
 * Writes a state dict; with `section`, a dict that holds the state dict under that key.
 * @throws CheckpointError if a dtype has no storage in PyTorch or numbers do not fit; SetupError if writing fails.
 */
export async function writeTorch(path: string, tensors: Iterable<TensorToWrite>, section?: string): Promise<void> {
  const all = [...tensors];
  const pickle = pickleOf(all, path, section);
  await writeAtomic(path, async (file) => {
    const zip = new ZipWriter((bytes) => file.writeFile(bytes), path);
    await zip.add("archive/data.pkl", pickle);
    await zip.add("archive/byteorder", utf8("little"));
    for (const [i, { name, dtype, shape, data }] of all.entries()) {
      const where = `${path} ${quote(name)}`;
      const bytes = encodeTensor(typeof data === "function" ? await data() : data, dtype, where);
      const expected = shape.reduce((product, n) => product * n, DTYPE_BYTES[dtype]);
      if (bytes.length !== expected) {
        const type = `${dtype} [${shape.join()}]`;
        throw new CheckpointError(`${where}: expected ${expected} bytes for ${type}, got ${bytes.length}.`);
      }
      await zip.add(`archive/data/${i}`, bytes);
    }
    await zip.add("archive/version", utf8("3\n"));
    await zip.finish();
  });
}

/** The pickle of an OrderedDict of tensors. @see Python's pickletools.py for the instructions */
function pickleOf(tensors: readonly TensorToWrite[], path: string, section: string | undefined): Uint8Array {
  const parts: Uint8Array[] = [];
  const op = (...bytes: number[]) => void parts.push(Uint8Array.from(bytes));
  const global = (module: string, name: string) => void parts.push(utf8(`c${module}\n${name}\n`));
  const text = (value: string) => {
    const bytes = utf8(value);
    op(0x58, ...u32(bytes.length)); // BINUNICODE
    parts.push(bytes);
  };
  const whole = (value: number) => {
    if (value < 2 ** 31)
      op(0x4a, ...u32(value)); // BININT
    else op(0x8a, 8, ...u64(value)); // LONG1 of 8 bytes holds every size
  };
  const tuple = (items: readonly number[]) => {
    op(0x28); // MARK
    items.forEach(whole);
    op(0x74); // TUPLE
  };
  const orderedDict = () => {
    global("collections", "OrderedDict");
    op(0x29, 0x52); // EMPTY_TUPLE, REDUCE
  };

  op(0x80, 2); // PROTO
  if (section !== undefined) {
    op(0x7d); // EMPTY_DICT
    text(section);
  }
  orderedDict();
  op(0x28); // MARK
  for (const [i, { name, dtype, shape }] of tensors.entries()) {
    const storage = STORAGES.get(dtype);
    if (!storage)
      throw new CheckpointError(`${path} ${quote(name)}: expected a dtype that PyTorch has, got ${dtype}. Convert it.`);
    const strides = shape.map((_, d) => shape.slice(d + 1).reduce((product, n) => product * n, 1));
    text(name);
    global("torch._utils", "_rebuild_tensor_v2");
    op(0x28, 0x28); // MARK of the arguments, MARK of the storage's id
    text("storage");
    global("torch", storage);
    text(String(i));
    text("cpu");
    whole(shape.reduce((product, n) => product * n, 1));
    op(0x74, 0x51); // TUPLE, BINPERSID
    whole(0); // where the view begins
    tuple(shape);
    tuple(strides);
    op(0x89); // NEWFALSE: needs no gradient
    orderedDict(); // no hooks
    op(0x74, 0x52); // TUPLE, REDUCE
  }
  op(0x75); // SETITEMS
  if (section !== undefined) op(0x73); // SETITEM
  op(0x2e); // STOP
  return concatBytes(parts);
}

const LIMIT = 0xffffffff;

/** Records start at a multiple of this, so that a mapped file can be used in place. */
const ALIGNMENT = 64;

/** 1 January 1980, the earliest date that zip can hold. */
const DATE = 0x21;

/** A zip of stored entries, written front to back. @see PKWARE APPNOTE 4.3, 4.5.3 */
class ZipWriter {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #path: string;
  readonly #directory: Uint8Array[] = [];
  #at = 0;

  constructor(write: (bytes: Uint8Array) => Promise<void>, path: string) {
    this.#write = write;
    this.#path = path;
  }

  async add(name: string, bytes: Uint8Array): Promise<void> {
    if (bytes.length >= LIMIT)
      throw new CheckpointError(`${this.#path}: expected tensors below 4 GiB, got ${bytes.length} bytes. Use F16.`);
    const offset = this.#at;
    const label = utf8(name);
    // Version, flags, method (stored), time, date, checksum, packed size, size, length of the name.
    const common = [
      ...[...u16(45), ...u16(0), ...u16(0), ...u16(0), ...u16(DATE)],
      ...[...u32(crc32(bytes)), ...u32(bytes.length), ...u32(bytes.length), ...u16(label.length)],
    ];

    const wide = offset >= LIMIT ? [...u16(1), ...u16(8), ...u64(offset)] : [];
    // Length of the extra field; of a comment, disk and attributes, all 0; offset.
    const rest = [...u16(wide.length), ...Array<number>(10).fill(0), ...u32(Math.min(offset, LIMIT))];
    const entry = Uint8Array.of(...signature(1, 2), 45, 0, ...common, ...rest, ...label, ...wide);
    this.#directory.push(entry);

    // PyTorch pads in an extra field named FB.
    const padding = (ALIGNMENT - ((offset + 30 + label.length + 4) % ALIGNMENT)) % ALIGNMENT;
    const extra = [...utf8("FB"), ...u16(padding), ...utf8("Z".repeat(padding))];
    await this.#put(Uint8Array.of(...signature(3, 4), ...common, ...u16(extra.length), ...label, ...extra));
    await this.#put(bytes);
  }

  async finish(): Promise<void> {
    const [start, directory] = [this.#at, concatBytes(this.#directory)];
    const count = this.#directory.length;
    await this.#put(directory);
    if (start + directory.length >= LIMIT || count >= 0xffff) await this.#put(zip64End(start, directory.length, count));
    const entries = u16(Math.min(count, 0xffff));
    const place = [...u32(Math.min(directory.length, LIMIT)), ...u32(Math.min(start, LIMIT))];
    await this.#put(Uint8Array.of(...signature(5, 6), ...u32(0), ...entries, ...entries, ...place, ...u16(0)));
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes);
    this.#at += bytes.length;
  }
}

/** The end record for large files, and its locator. */
function zip64End(start: number, length: number, count: number): Uint8Array {
  const end = [...signature(6, 6), ...u64(44), ...u16(45), ...u16(45), ...u32(0), ...u32(0)];
  end.push(...u64(count), ...u64(count), ...u64(length), ...u64(start));
  const locator = [...signature(6, 7), ...u32(0), ...u64(start + length), ...u32(1)];
  return Uint8Array.of(...end, ...locator);
}

/** "PK" and two bytes that name a record. */
function signature(a: number, b: number): number[] {
  return [0x50, 0x4b, a, b];
}

/** Little-endian bytes of a whole number. */
function u16(value: number): number[] {
  return [value & 255, value >>> 8];
}

function u32(value: number): number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}

function u64(value: number): number[] {
  return [...u32(value % 2 ** 32), ...u32(Math.floor(value / 2 ** 32))];
}
