/** Bytes that are read by range, from a file or from memory. */

import { open } from "node:fs/promises";
import { CheckpointError, InputError } from "../base/errors.ts";
import { fileError } from "./files.ts";

export interface ByteSource {
  readonly path: string;
  readonly size: number;
  /** Exactly `length` bytes. @throws CheckpointError if the range is not inside the file; nothing is allocated then. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** One read call moves at most this much; the system's own limit is 2 GiB. */
const PIECE = 2 ** 30;

/** @throws SetupError if the file is missing or cannot be read. */
export async function openByteSource(path: string): Promise<ByteSource> {
  try {
    const file = await open(path, "r");
    const status = await file.stat();
    if (!status.isFile()) {
      await file.close();
      throw new InputError(`${path}: expected a file, got ${status.isDirectory() ? "a folder" : "a device or pipe"}.`);
    }
    const { size } = status;
    const read = async (offset: number, length: number) => {
      checkRange(path, size, offset, length);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const piece = Math.min(PIECE, length - done);
        const { bytesRead } = await file.read(bytes, done, piece, offset + done).catch((error: unknown) => {
          throw fileError(error, path);
        });
        if (bytesRead === 0) throw new CheckpointError(`${path}: the file became shorter while it was read.`);
        done += bytesRead;
      }
      return bytes;
    };
    return { path, size, read, close: () => file.close() };
  } catch (error) {
    throw fileError(error, path);
  }
}

/** The ranges are views, not copies. */
export function memorySource(bytes: Uint8Array, path: string): ByteSource {
  const read = async (offset: number, length: number) => {
    checkRange(path, bytes.length, offset, length);
    return new Uint8Array(bytes.buffer, bytes.byteOffset + offset, length);
  };
  return { path, size: bytes.length, read, close: async () => {} };
}

function checkRange(path: string, size: number, offset: number, length: number) {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!whole || offset + length > size) {
    throw new CheckpointError(
      `${path}: expected ${length} bytes at ${offset}, but the file has ${size}. It is cut short.`,
    );
  }
}
