/**
 * Writing `.pt` files as torch.save does (1.6 and later): a stored zip of `data.pkl`, which names tensors as views of
 * storages, and one record a storage. One tensor in memory at a time; the file appears whole or not at all.
 */
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
 * @throws CheckpointError if a dtype has no storage in PyTorch or numbers do not fit; SetupError if the disk refuses.
 */
export async function writeTorch(path: string, tensors: Iterable<TensorToWrite>, section?: string): Promise<void> {
  const all = [...tensors];
  const pickle = pickleOf(all, path, section);
  await writeAtomic(path, async (file) => {
    const zip = new ZipWriter((bytes) => file.writeFile(bytes), path);
    await zip.add("archive/data.pkl", pickle);
    await zip.add("archive/byteorder", Buffer.from("little"));
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
    await zip.add("archive/version", Buffer.from("3\n"));
    await zip.finish();
  });
}

/** The pickle of an OrderedDict of tensors. @see Python's pickletools.py for the instructions */
function pickleOf(tensors: readonly TensorToWrite[], path: string, section: string | undefined): Uint8Array {
  const parts: Uint8Array[] = [];
  const op = (...bytes: number[]) => void parts.push(Uint8Array.from(bytes));
  const global = (module: string, name: string) => void parts.push(Buffer.from(`c${module}\n${name}\n`));
  const text = (value: string) => {
    const utf8 = Buffer.from(value);
    const head = Buffer.alloc(5, "X"); // BINUNICODE
    head.writeUInt32LE(utf8.length, 1);
    parts.push(head, utf8);
  };
  const whole = (value: number) => {
    const long = Buffer.alloc(10); // LONG1 of 8 bytes holds every size
    long.set([0x8a, 8]);
    long.writeBigInt64LE(BigInt(value), 2);
    const int = Buffer.alloc(5, "J"); // BININT
    if (value < 2 ** 31) int.writeInt32LE(value, 1);
    parts.push(value < 2 ** 31 ? int : long);
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
  return Buffer.concat(parts);
}

const LIMIT = 0xffffffff;

/** Records start at a multiple of this, so that a mapped file can be used in place. */
const ALIGNMENT = 64;

/** 1 January 1980, the first day that zip knows. */
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
    const common = Buffer.alloc(26); // from "version needed" to "extra length"
    common.writeUInt16LE(45, 0);
    common.writeUInt16LE(DATE, 8);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(name.length, 22);

    const central = Buffer.from(common);
    const wide = offset >= LIMIT ? zip64Offset(offset) : Buffer.alloc(0);
    central.writeUInt16LE(wide.length, 24);
    const places = Buffer.alloc(14); // comment, disk, attributes, offset
    places.writeUInt32LE(Math.min(offset, LIMIT), 10);
    this.#directory.push(Buffer.from("PK\x01\x02\x2d\x00", "latin1"), central, places, Buffer.from(name), wide);

    // PyTorch pads in an extra field named FB.
    const padding = (ALIGNMENT - ((offset + 30 + name.length + 4) % ALIGNMENT)) % ALIGNMENT;
    const extra = Buffer.alloc(4 + padding, "Z");
    extra.write("FB", 0);
    extra.writeUInt16LE(padding, 2);
    common.writeUInt16LE(extra.length, 24);
    await this.#put(Buffer.from("PK\x03\x04", "latin1"), common, Buffer.from(name), extra);
    await this.#put(bytes);
  }

  async finish(): Promise<void> {
    const [start, directory] = [this.#at, Buffer.concat(this.#directory)];
    const count = this.#directory.length / 5;
    await this.#put(directory);
    if (start + directory.length >= LIMIT || count >= 0xffff) await this.#put(zip64End(start, directory.length, count));
    const end = Buffer.alloc(22);
    end.write("PK\x05\x06", 0, "latin1");
    end.writeUInt16LE(Math.min(count, 0xffff), 8);
    end.writeUInt16LE(Math.min(count, 0xffff), 10);
    end.writeUInt32LE(Math.min(directory.length, LIMIT), 12);
    end.writeUInt32LE(Math.min(start, LIMIT), 16);
    await this.#put(end);
  }

  async #put(...parts: Uint8Array[]): Promise<void> {
    for (const part of parts) {
      await this.#write(part);
      this.#at += part.length;
    }
  }
}

function zip64Offset(offset: number): Buffer {
  const field = Buffer.alloc(12);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(8, 2);
  field.writeBigUInt64LE(BigInt(offset), 4);
  return field;
}

/** The end record for large files, and its locator. */
function zip64End(start: number, length: number, count: number): Buffer {
  const end = Buffer.alloc(56 + 20);
  end.write("PK\x06\x06", 0, "latin1");
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(45, 12);
  end.writeUInt16LE(45, 14);
  end.writeBigUInt64LE(BigInt(count), 24);
  end.writeBigUInt64LE(BigInt(count), 32);
  end.writeBigUInt64LE(BigInt(length), 40);
  end.writeBigUInt64LE(BigInt(start), 48);
  end.write("PK\x06\x07", 56, "latin1");
  end.writeBigUInt64LE(BigInt(start + length), 64);
  end.writeUInt32LE(1, 72);
  return end;
}
