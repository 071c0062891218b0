/** Storage in Node: the disk. */
import { createHash, randomBytes } from "node:crypto";
import { copyFile, type FileHandle, mkdir, mkdtemp, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { crc32 } from "../base/crc32.ts";
import { CheckpointError, InputError } from "../base/errors.ts";
import { type ByteSource, checkRange } from "./byte-source.ts";
import { fileError, placeError } from "./file-error.ts";
import type { FileWriter, Hasher, Kind, ScratchFile, Storage } from "./storage.ts";

/** One read call moves at most this much; the system's own limit is 2 GiB. */
const PIECE = 2 ** 30;

const inflateRaw = promisify(zlib.inflateRaw);

export const storage: Storage = {
  join,
  dirname,
  basename,
  fromUrl: fileURLToPath,

  async kind(path): Promise<Kind | undefined> {
    const status = await stat(path).catch(() => undefined);
    if (!status) return undefined;
    return status.isDirectory() ? "folder" : status.isFile() ? "file" : "other";
  },

  list: (folder) => atPath(folder, async () => (await readdir(folder)).sort()),

  realpath: (path) => atPath(path, () => realpath(path)),

  read: (path, maxBytes) =>
    atPath(path, async () => {
      const file = await open(path, "r");
      try {
        const status = await file.stat();
        if (!status.isFile() && !status.isDirectory()) throw new InputError(`${path}: expected a regular file.`);
        if (status.size > maxBytes)
          throw new InputError(`${path}: expected at most ${maxBytes} bytes, got ${status.size}.`);
        return await file.readFile();
      } finally {
        await file.close();
      }
    }),

  open: (path) =>
    atPath(path, async () => {
      const file = await open(path, "r");
      const status = await file.stat();
      if (status.isFile()) return fileSource(file, path, status.size);
      await file.close();
      throw new InputError(`${path}: expected a file, got a ${status.isDirectory() ? "folder" : "device or pipe"}.`);
    }),

  load: async () => undefined,

  onDownload: () => {},

  async makeFolder(path) {
    await mkdir(path, { recursive: true }).catch((error: unknown) => {
      throw placeError(error, path);
    });
  },

  write,

  writeFolder,

  copy: (from, to) => atPath(from, () => copyFile(from, to)),

  scratch,

  sha256(): Hasher {
    const hash = createHash("sha256");
    return {
      update(bytes) {
        hash.update(bytes);
        return this;
      },
      hex: () => hash.digest("hex"),
    };
  },

  // zlib's is missing from early versions of Node 20.
  crc32: zlib.crc32 ?? crc32,

  inflateRaw: (packed, maxBytes) => inflateRaw(packed, { maxOutputLength: Math.max(1, maxBytes) }),
};

async function atPath<T>(path: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    throw fileError(error, path);
  }
}

function fileSource(file: FileHandle, path: string, size: number): ByteSource {
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
}

async function write(path: string, fill: (file: FileWriter) => Promise<void>): Promise<void> {
  let temporary: string | undefined;
  try {
    const existing = await stat(path).catch(ignoreMissing);
    if (existing?.isDirectory()) throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
    // A device or a pipe (/dev/null, /dev/stdout) must be written to, never replaced.
    if (existing && !existing.isFile()) return await fillFile(path, "w", fill);
    const target = existing ? await realpath(path) : path;
    temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}.tmp`);
    await fillFile(temporary, "wx", fill, true);
    await rename(temporary, target);
  } catch (error) {
    if (temporary) await rm(temporary, { force: true }).catch(() => {});
    throw placeError(error, path);
  }
}

async function fillFile(path: string, flags: string, fill: (file: FileWriter) => Promise<void>, sync = false) {
  const file = await open(path, flags);
  try {
    await fill(file);
    if (sync) await file.sync();
  } finally {
    await file.close();
  }
}

async function writeFolder(path: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const target = resolve(path);
  let temporary: string | undefined;
  try {
    await mkdir(dirname(target), { recursive: true });
    temporary = await mkdtemp(join(dirname(target), `.${basename(target)}.`));
    await fill(temporary);
    await rename(temporary, target);
  } catch (error) {
    if (temporary) await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw placeError(error, path);
  }
}

async function scratch(name: string, fill: (file: FileWriter) => Promise<void>): Promise<ScratchFile> {
  let folder: string | undefined;
  const remove = async (): Promise<void> => {
    if (folder) await rm(folder, { recursive: true, force: true }).catch(() => {});
  };
  try {
    folder = await mkdtemp(join(await realpath(tmpdir()), "seedling-weights-"));
    await fillFile(join(folder, name), "wx", fill);
    return { folder, remove };
  } catch (error) {
    await remove();
    throw placeError(error, folder ?? tmpdir());
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
