/** Writing safetensors files: one tensor in memory at a time; the file appears whole or not at all. */

import { dataView, utf8 } from "../base/bytes.ts";
import { CheckpointError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { writeAtomic } from "../io/files.ts";
import { DTYPE_BYTES, encodeTensor, type StoredDtype, type TensorData } from "./dtypes.ts";

export interface TensorToWrite {
  name: string;
  /** What is stored; a Float32Array may be stored as F16 or BF16 and is rounded then. */
  dtype: StoredDtype;
  shape: readonly number[];
  /** Row-major numbers, or a function that fetches them when their turn comes. */
  data: TensorData | (() => TensorData | Promise<TensorData>);
}

/** The first tensor starts at a multiple of this, so that a mapped file can be used in place. */
const ALIGNMENT = 64;

/**
 * Writes `tensors` to `path`. The order in the file is by element size, largest first, then by name, so every tensor is
 * aligned to its elements and the same tensors give the same bytes.
 *
 * @throws CheckpointError if names repeat or numbers do not fit their shape; SetupError if writing fails.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const sorted = [...tensors].sort(
    (a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const header = encodeHeader(sorted, metadata, path);
  await writeAtomic(path, async (file) => {
    await file.writeFile(header);
    for (const tensor of sorted) {
      const data = typeof tensor.data === "function" ? await tensor.data() : tensor.data;
      const where = `${path} ${quote(tensor.name)}`;
      const bytes = encodeTensor(data, tensor.dtype, where);
      if (bytes.length !== byteLength(tensor)) {
        const shape = `${tensor.dtype} [${tensor.shape.join()}]`;
        throw new CheckpointError(`${where}: expected ${byteLength(tensor)} bytes for ${shape}, got ${bytes.length}.`);
      }
      await file.writeFile(bytes);
    }
  });
}

function encodeHeader(sorted: TensorToWrite[], metadata: Readonly<Record<string, string>>, path: string): Uint8Array {
  const parts = Object.keys(metadata).length > 0 ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  const names = new Set(["__metadata__"]);
  let end = 0;
  for (const tensor of sorted) {
    const { name, dtype, shape } = tensor;
    if (names.has(name)) throw new CheckpointError(`${path}: the name ${quote(name)} cannot be written twice.`);
    names.add(name);
    const begin = end;
    end += byteLength(tensor);
    parts.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  const json = utf8(`{${parts.join(",")}}`);
  const length = Math.ceil((json.length + 8) / ALIGNMENT) * ALIGNMENT - 8;
  const bytes = new Uint8Array(8 + length).fill(0x20); // padded with spaces
  dataView(bytes).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

function byteLength({ dtype, shape }: TensorToWrite): number {
  return shape.reduce((product, n) => product * n, DTYPE_BYTES[dtype]);
}
