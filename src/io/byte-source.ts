/** Bytes that are read by range, from a file, a URL or memory. */
import { CheckpointError } from "../base/errors.ts";

export interface ByteSource {
  readonly path: string;
  readonly size: number;
  /** Exactly `length` bytes. @throws CheckpointError if the range is not inside the file; nothing is allocated then. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The ranges are views, not copies. */
export function memorySource(bytes: Uint8Array, path: string): ByteSource {
  const read = async (offset: number, length: number) => {
    checkRange(path, bytes.length, offset, length);
    return new Uint8Array(bytes.buffer, bytes.byteOffset + offset, length);
  };
  return { path, size: bytes.length, read, close: async () => {} };
}

/** @throws CheckpointError if a file of `size` bytes does not hold `length` bytes at `offset`. */
export function checkRange(path: string, size: number, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!whole || offset + length > size) {
    throw new CheckpointError(
      `${path}: expected ${length} bytes at ${offset}, but the file has ${size}. It is cut short.`,
    );
  }
}
