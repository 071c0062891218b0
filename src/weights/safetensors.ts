/** Reading safetensors files by range: the header first, then one tensor at a time. */

import { CheckpointError } from "../base/errors.ts";
import { type ByteSource, memorySource } from "../io/byte-source.ts";
import { openByteSource } from "../io/files.ts";
import { headerLength, parseHeader, type SafetensorsInfo } from "./safetensors-header.ts";
import { type TensorFile, tensorFile } from "./tensor-file.ts";

export interface SafetensorsFile extends TensorFile {
  readonly tensors: ReadonlyMap<string, SafetensorsInfo>;
}

/**
 * Opens a file and checks its whole header; the caller closes it.
 * @throws InputError if the file is missing, CheckpointError if the header is damaged.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const source = await openByteSource(path);
  try {
    return await fromSource(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The same for bytes in memory; `where` is what messages call them. */
export function parseSafetensors(bytes: Uint8Array, where: string): Promise<SafetensorsFile> {
  return fromSource(memorySource(bytes, where));
}

async function fromSource(source: ByteSource): Promise<SafetensorsFile> {
  const { path, size } = source;
  if (size < 8) throw new CheckpointError(`${path}: expected a safetensors file, got ${size} bytes.`);
  const length = headerLength(await source.read(0, 8), size, path);
  const { metadata, tensors } = parseHeader(await source.read(8, length), 8 + length, size, path);
  const load = ({ offset, byteLength }: SafetensorsInfo) => source.read(offset, byteLength);
  return tensorFile({ path, metadata, tensors, load, close: () => source.close() });
}
