/** What every checkpoint reader offers: names, shapes and dtypes at once, numbers when asked for. */

import { CheckpointError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { decodeTensor, type StoredDtype, type TensorData, toFloat32 } from "./dtypes.ts";

export interface TensorInfo {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** Size of the tensor in bytes, which is the product of the shape times the bytes of the dtype. */
  readonly byteLength: number;
  /** The file that holds the bytes, and where they start in it; no offset if they are compressed or strided. */
  readonly file: string;
  readonly offset?: number;
  /** Tensors that name the same storage (and are listed by the same file) share their bytes. */
  readonly storage?: string;
}

export interface TensorFile {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Of a trainer's file: the key under which these tensors were found. */
  readonly section?: string;
  /** Tensors of the file that are not among these, in words. */
  readonly elsewhere?: readonly string[];
  /** The stored bytes, little-endian, row-major. @throws CheckpointError for an unknown name. */
  readBytes(name: string): Promise<Uint8Array>;
  /** F16 and BF16 arrive as Float32Array, BOOL as Uint8Array, I64 as BigInt64Array. */
  read(name: string): Promise<TensorData>;
  /** Any dtype as Float32Array. */
  readFloat32(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

interface Contents<Info extends TensorInfo> {
  path: string;
  metadata: ReadonlyMap<string, string>;
  tensors: ReadonlyMap<string, Info>;
  load: (info: Info) => Promise<Uint8Array>;
  close: () => Promise<void>;
}

/** The common part of the readers: `load` fetches the bytes of one listed tensor. */
export function tensorFile<Info extends TensorInfo>(
  contents: Contents<Info>,
): TensorFile & { readonly tensors: ReadonlyMap<string, Info> } {
  const { path, metadata, tensors, load, close } = contents;
  const find = (name: string): Info => {
    const info = tensors.get(name);
    if (!info) throw new CheckpointError(`${path}: expected a tensor ${quote(name)}, found none.`);
    return info;
  };
  const readBytes = async (name: string) => load(find(name));
  const read = async (name: string) => decodeTensor(await readBytes(name), find(name).dtype, `${path} ${quote(name)}`);
  const readFloat32 = async (name: string) => toFloat32(await read(name));
  return { path, metadata, tensors, readBytes, read, readFloat32, close };
}
