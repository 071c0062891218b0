/**
 * `.pt` and `.pth` files of torch.save (1.6 and later): a zip of `data.pkl`, which names tensors as views of storages,
 * and one record per storage. Only what rebuilds tensors is understood; nothing in the file is ever executed.
 */

import { fromUtf8, startsWith } from "../base/bytes.ts";
import { CheckpointError } from "../base/errors.ts";
import { entry, item } from "../base/item.ts";
import { quote, reason } from "../base/one-line.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { openByteSource } from "../io/files.ts";
import { DTYPE_BYTES, type StoredDtype } from "./dtypes.ts";
import { PickleFunction, unpickle } from "./pickle.ts";
import { findStateDict } from "./state-dict.ts";
import { type TensorFile, type TensorInfo, tensorFile } from "./tensor-file.ts";
import { type Storage, TorchTensor } from "./torch-tensor.ts";
import { openZip, type ZipArchive } from "./zip.ts";

interface TorchInfo extends TensorInfo {
  readonly tensor: TorchTensor;
}

export interface TorchFile extends TensorFile {
  /** Everything that was saved: dicts as Map, lists and tuples as arrays, tensors as TorchTensor. */
  readonly root: unknown;
}

export const STORAGE_DTYPES = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
  ComplexFloatStorage: "C64",
} as const satisfies Record<string, StoredDtype>;

/** The dtypes without a storage class of their own: their tensors are views of plain bytes. */
const UNTYPED_DTYPES: Readonly<Record<string, StoredDtype>> = {
  float8_e4m3fn: "F8_E4M3",
  float8_e5m2: "F8_E5M2",
  float8_e8m0fnu: "F8_E8M0",
  float8_e4m3fnuz: "F8_E4M3FNUZ",
  float8_e5m2fnuz: "F8_E5M2FNUZ",
  uint16: "U16",
  uint32: "U32",
  uint64: "U64",
};

/** Pickles of the largest published models stay below 1 MB. What a parsed one may take is bounded in pickle-budget.ts. */
const MAX_PICKLE_BYTES = 16 * 1024 ** 2;

const MAX_KEY_CHARACTERS = 100;

/**
 * Opens a file and checks every tensor's view against its storage and every storage against the file; the caller
 * closes it. The tensors are those of one dict in it: `findStateDict` says which.
 *
 * @throws InputError if the file is missing; CheckpointError if it is damaged or holds more than tensors and plain values.
 */
export async function openTorch(path: string): Promise<TorchFile> {
  const source = await openByteSource(path);
  try {
    return await fromSource(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function fromSource(source: ByteSource): Promise<TorchFile> {
  const { path } = source;
  await refuseOldFormat(source);
  const zip = await openZip(source);
  const prefix = findPrefix(zip, path);
  await refuseBigEndian(zip, prefix, path);
  const pickle = entry(zip.entries, `${prefix}data.pkl`);
  if (pickle.size > MAX_PICKLE_BYTES) {
    throw new CheckpointError(`${path}: expected a data.pkl of at most ${MAX_PICKLE_BYTES} bytes, got ${pickle.size}.`);
  }
  const root = unpickle(await zip.read(pickle, 0, pickle.size), path, {
    globals: understoodNames(path),
    persistent: (id) => checkStorage(id, zip, prefix, path),
  });
  const { tensors: named, section, elsewhere } = findStateDict(root, path);
  const tensors = new Map<string, TorchInfo>();
  for (const [name, tensor] of named) tensors.set(name, await describe(tensor, zip, path));
  const load = ({ tensor }: TorchInfo) => readView(tensor, zip);
  const file = tensorFile({ path, metadata: new Map(), tensors, load, close: () => source.close() });
  return { ...file, root, section, elsewhere };
}

/** First bytes of files that torch.save wrote before version 1.6. */
export const OLD_TORCH = [0x80, 0x02, 0x8a, 0x0a];

async function refuseOldFormat(source: ByteSource) {
  const head = await source.read(0, Math.min(4, source.size));
  if (startsWith(head, OLD_TORCH)) {
    throw new CheckpointError(
      `${source.path}: expected the zip format of torch.save, got the one from before PyTorch 1.6. Load and save it again.`,
    );
  }
}

/** All entries are in one folder, named after the file as it was first saved. */
function findPrefix(zip: ZipArchive, path: string): string {
  const pickles = [...zip.entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const prefix = pickles[0]?.slice(0, -"data.pkl".length);
  if (prefix === undefined || pickles.length > 1) {
    throw new CheckpointError(
      `${path}: expected one data.pkl in the archive, found ${pickles.length}. It is not a torch.save file.`,
    );
  }
  if (zip.entries.has(`${prefix}constants.pkl`)) {
    throw new CheckpointError(
      `${path}: expected a state dict, got a TorchScript program. Save model.state_dict() instead.`,
    );
  }
  return prefix;
}

async function refuseBigEndian(zip: ZipArchive, prefix: string, path: string) {
  const entry = zip.entries.get(`${prefix}byteorder`);
  if (!entry) return;
  const order = fromUtf8(await zip.read(entry, 0, Math.min(entry.size, 16)));
  if (order !== "little") throw new CheckpointError(`${path}: expected little-endian numbers, got ${quote(order)}.`);
}

function understoodNames(path: string): ReadonlyMap<string, unknown> {
  const functions = {
    "collections OrderedDict": ([pairs = []]: unknown[]) => {
      if (isPairs(pairs)) return new Map(pairs);
      throw new CheckpointError(`${path}: damaged pickle: expected an OrderedDict of pairs with text as keys.`);
    },
    "torch Size": ([sizes]: unknown[]) => sizes,
    "torch._utils _rebuild_tensor_v2": ([storage, begin, shape, strides]: unknown[]) =>
      checkTensor(storage, begin, shape, strides, path),
    "torch._utils _rebuild_tensor_v3": ([bytes, begin, shape, strides, , , dtype]: unknown[]) =>
      checkTensor(typedStorage(bytes, dtype, path), begin, shape, strides, path),
    "torch._utils _rebuild_parameter": ([tensor]: unknown[]) => tensor,
  };
  const names = new Map<string, unknown>();
  for (const [name, call] of Object.entries(functions)) names.set(name, new PickleFunction(name, call));
  for (const [name, dtype] of Object.entries(STORAGE_DTYPES)) names.set(`torch ${name}`, new StorageType(dtype));
  names.set("torch.storage UntypedStorage", new StorageType("U8"));
  for (const [name, dtype] of Object.entries(UNTYPED_DTYPES)) names.set(`torch ${name}`, new TorchDtype(dtype));
  return names;
}

class StorageType {
  readonly dtype: StoredDtype;
  constructor(dtype: StoredDtype) {
    this.dtype = dtype;
  }
}

class TorchDtype {
  readonly stored: StoredDtype;
  constructor(stored: StoredDtype) {
    this.stored = stored;
  }
}

/** Plain bytes seen as numbers of a dtype. */
function typedStorage(bytes: unknown, dtype: unknown, path: string): Storage {
  if (!isStorage(bytes) || !(dtype instanceof TorchDtype))
    throw new CheckpointError(`${path}: damaged pickle: expected a storage of bytes and a dtype.`);
  const size = DTYPE_BYTES[bytes.dtype] * bytes.length;
  return { ...bytes, dtype: dtype.stored, length: Math.floor(size / DTYPE_BYTES[dtype.stored]) };
}

/** id: ("storage", type, key, device, number of elements). */
function checkStorage(id: unknown, zip: ZipArchive, prefix: string, path: string): Storage {
  const [word, type, key, , length] = Array.isArray(id) ? id : [];
  if (word !== "storage" || !(type instanceof StorageType) || typeof key !== "string" || !isSize(length)) {
    throw new CheckpointError(`${path}: damaged pickle: expected a reference to a storage.`);
  }
  // Keys are short numbers. A long one would have to be joined and looked up again for every reference to it.
  const entry = key.length <= MAX_KEY_CHARACTERS ? zip.entries.get(`${prefix}data/${key}`) : undefined;
  if (!entry)
    throw new CheckpointError(`${path}: expected the storage record ${quote(key)}, found none. The file is damaged.`);
  const bytes = length * DTYPE_BYTES[type.dtype];
  if (bytes > entry.size) {
    throw new CheckpointError(`${path}: storage ${quote(key)}: expected ${bytes} bytes, the record has ${entry.size}.`);
  }
  return { key, dtype: type.dtype, length, entry };
}

function checkTensor(storage: unknown, begin: unknown, shape: unknown, strides: unknown, path: string): TorchTensor {
  const fits =
    isStorage(storage) && isSize(begin) && isSizes(shape) && isSizes(strides) && shape.length === strides.length;
  if (!fits) throw new CheckpointError(`${path}: damaged pickle: expected a storage, an offset, a shape and strides.`);
  const count = elements(shape);
  const end = count === 0 ? begin : begin + 1 + shape.reduce((sum, n, d) => sum + (n - 1) * item(strides, d), 0);
  // Strides of 0 repeat elements, so a small storage could claim a tensor of any size.
  if (!(end <= storage.length) || count > storage.length) {
    const view = `[${reason(shape.join())}] with strides [${reason(strides.join())}] from ${begin}`;
    throw new CheckpointError(`${path}: a view ${view} does not fit its storage of ${storage.length} elements.`);
  }
  // Copies: the pickle may later lengthen the lists that were just checked.
  return new TorchTensor(storage, begin, [...shape], [...strides]);
}

async function describe(tensor: TorchTensor, zip: ZipArchive, path: string): Promise<TorchInfo> {
  const { dtype, shape, storage, begin } = tensor;
  const byteLength = elements(shape) * DTYPE_BYTES[dtype];
  const info = { dtype, shape, byteLength, file: path, storage: storage.key, tensor };
  const start = await zip.locate(storage.entry);
  if (storage.entry.deflated || !isContiguous(tensor)) return info;
  return { ...info, offset: start + begin * DTYPE_BYTES[dtype] };
}

/** The bytes of a view in row-major order. */
async function readView(tensor: TorchTensor, zip: ZipArchive): Promise<Uint8Array> {
  const { shape, strides, begin, storage } = tensor;
  const size = DTYPE_BYTES[tensor.dtype];
  const count = elements(shape);
  const span = count === 0 ? 0 : 1 + shape.reduce((sum, n, d) => sum + (n - 1) * item(strides, d), 0);
  const bytes = await zip.read(storage.entry, begin * size, span * size);
  if (isContiguous(tensor)) return bytes;
  const out = new Uint8Array(count * size);
  const index = shape.map(() => 0);
  for (let o = 0, from = 0; o < out.length; ) {
    for (let b = 0; b < size; b++) out[o++] = bytes[from * size + b]!;
    // Step to the next element, as an odometer does.
    for (let d = shape.length - 1; d >= 0; d--) {
      from += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      from -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return out;
}

function isContiguous({ shape, strides }: TorchTensor): boolean {
  let expected = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== expected) return elements(shape) === 0;
    expected *= item(shape, d);
  }
  return true;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

function isStorage(value: unknown): value is Storage {
  return typeof value === "object" && value !== null && "entry" in value && "length" in value;
}

function isPairs(value: unknown): value is [string, unknown][] {
  return Array.isArray(value) && value.every((p) => Array.isArray(p) && p.length === 2 && typeof p[0] === "string");
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every(isSize);
}
