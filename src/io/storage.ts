/**
 * What files are to the rest of the library. Two implementations, chosen by the `imports` of package.json: `storage-node.ts`
 * reads and writes the disk; in `storage-web.ts` a path is a URL, a folder is the start of one, and nothing is written.
 */
import type { ByteSource } from "./byte-source.ts";

export type Kind = "file" | "folder" | "other";

export interface Storage {
  join(...parts: readonly string[]): string;
  dirname(path: string): string;
  basename(path: string): string;
  /** The path of a file that belongs to this package. */
  fromUrl(url: URL): string;
  /** What is at `path`; undefined if there is nothing. "other" is a device or pipe. */
  kind(path: string): Promise<Kind | undefined>;
  /** Names in a folder, sorted. @throws InputError if it is missing; SetupError if it cannot be listed. */
  list(folder: string): Promise<string[]>;
  /** The path without links, absolute in a browser. @throws InputError if there is nothing. */
  realpath(path: string): Promise<string>;
  /** A whole file, whose size is checked first. @throws InputError if it is missing or larger than `maxBytes`; SetupError. */
  read(path: string, maxBytes: number): Promise<Uint8Array>;
  /** A file that is read by range. @throws InputError if it is missing or a folder; SetupError if it cannot be read. */
  open(path: string): Promise<ByteSource>;
  /** A whole file as ONNX Runtime takes it where there is no disk to map it from; undefined in Node. */
  load(path: string): Promise<Blob | undefined>;
  /** `listener` is called with the bytes received so far of all files that are being fetched. In a browser only. */
  onDownload(listener: (doneBytes: number, totalBytes: number) => void): void;
  /** Makes a folder and those above it. @throws SetupError if there is a file at `path` or the disk refuses. */
  makeFolder(path: string): Promise<void>;
  /** A file that appears whole or not at all: `fill` writes a temporary one, which is flushed and renamed. */
  write(path: string, fill: (file: FileWriter) => Promise<void>): Promise<void>;
  /** A folder that appears whole or not at all: `fill` fills a temporary one, which is renamed. */
  writeFolder(path: string, fill: (temporary: string) => Promise<void>): Promise<void>;
  copy(from: string, to: string): Promise<void>;
  /** A file for what is mapped while a program runs; undefined where there is no disk. @throws SetupError if it refuses. */
  scratch(name: string, fill: (file: FileWriter) => Promise<void>): Promise<ScratchFile | undefined>;
  sha256(): Hasher;
  /** The checksum of zip and PNG, unsigned. */
  crc32(bytes: Uint8Array): number;
  /** Unpacks a raw deflate stream. @throws if it is damaged or longer than `maxBytes`. */
  inflateRaw(packed: Uint8Array, maxBytes: number): Promise<Uint8Array>;
}

/** A file of its own in the system's folder for temporary files. */
export interface ScratchFile {
  readonly folder: string;
  /** Never fails. Where a file that is mapped cannot be removed (Windows), it stays, and this may be tried again. */
  remove(): Promise<void>;
}

/** Appends to a file. */
export interface FileWriter {
  writeFile(bytes: Uint8Array | string): Promise<void>;
}

/** A hash of bytes that come in pieces; a text is hashed as UTF-8. */
export interface Hasher {
  update(bytes: Uint8Array | string): this;
  /** The hash of all pieces, hexadecimal. Nothing can be added afterwards. */
  hex(): string;
}
