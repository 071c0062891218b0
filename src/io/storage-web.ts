/**
 * Storage in a browser: paths are addresses, relative ones belong to the page. A name without an ending is a folder, as a
 * server has no way to say so. Nothing is written.
 */
import { crc32 } from "../base/crc32.ts";
import { InputError, type SeedlingError, SetupError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import { Sha256 } from "../base/sha256.ts";
import { type ByteSource, checkRange, memorySource } from "./byte-source.ts";
import { fileError } from "./file-error.ts";
import type { Storage } from "./storage.ts";
import { basename, dirname, join } from "./url-paths.ts";

/** The first request for a file asks for this much, bytes: headers and small files need no second one. */
const FIRST = 2 ** 16;

export const storage: Storage = {
  join,
  dirname,
  basename,
  fromUrl: (url) => url.href,

  async kind(path) {
    if (isFolder(path)) return "folder";
    const answer = await fetch(path, { method: "HEAD" }).catch(() => undefined);
    return answer?.ok && !isFallback(answer, path) ? "file" : undefined;
  },

  list: async (folder) => refuse(folder, "list a folder"),

  realpath: async (path) => new URL(path, globalThis.location?.href).href,

  async read(path, maxBytes) {
    const { answer } = await get(path);
    const size = Number(answer.headers.get("Content-Length"));
    if (size > maxBytes) {
      await answer.body?.cancel();
      throw tooLarge(path, maxBytes, size);
    }
    return collect(answer, path, maxBytes);
  },

  async open(path) {
    const { answer, total } = await get(path, 0, FIRST);
    // A server without ranges sends the whole file.
    const first = await collect(answer, path, total === undefined ? Number.MAX_SAFE_INTEGER : FIRST);
    return total === undefined ? memorySource(first, path) : rangeSource(path, total, first);
  },

  makeFolder: async (path) => refuse(path, "make a folder"),
  write: async (path) => refuse(path, "write a file"),
  writeFolder: async (path) => refuse(path, "write a folder"),
  copy: async (_, to) => refuse(to, "write a file"),

  sha256: () => new Sha256(),
  crc32,

  async inflateRaw(packed, maxBytes) {
    const unpacked = new Blob([packed as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new DecompressionStream("deflate-raw"));
    return collect(new Response(unpacked), "deflate", maxBytes);
  },
};

function isFolder(path: string): boolean {
  return !/\.[a-z][a-z\d]*$/i.test(basename(path.replace(/[?#].*$/, "")));
}

/** Many servers answer with their start page where there is no file. */
function isFallback(answer: Response, path: string): boolean {
  return /^text\/html/.test(answer.headers.get("Content-Type") ?? "") && !/\.html?$/.test(path);
}

/** `total` is the size of the file if the server answers with a range. */
async function get(path: string, from?: number, length = 0): Promise<{ answer: Response; total?: number }> {
  const headers: HeadersInit = from === undefined ? {} : { Range: `bytes=${from}-${from + length - 1}` };
  const answer = await fetch(path, { headers }).catch((cause: unknown) => {
    throw new SetupError(`${path}: the connection failed (${reason(cause)}). Check the address and the network.`, {
      cause,
    });
  });
  if (answer.status === 404 || (answer.ok && isFallback(answer, path))) throw fileError({ code: "ENOENT" }, path);
  if (!answer.ok) throw new SetupError(`${path}: the server answered with status ${answer.status}.`);
  const total = Number(/\/(\d+)$/.exec(answer.headers.get("Content-Range") ?? "")?.[1]);
  return answer.status === 206 && Number.isSafeInteger(total) ? { answer, total } : { answer };
}

function rangeSource(path: string, size: number, first: Uint8Array): ByteSource {
  const read = async (offset: number, length: number) => {
    checkRange(path, size, offset, length);
    if (offset + length <= first.length) return first.slice(offset, offset + length);
    const { answer, total } = await get(path, offset, length);
    const bytes = total === undefined ? undefined : await collect(answer, path, length);
    if (bytes?.length === length) return bytes;
    throw new SetupError(`${path}: expected ${length} bytes at ${offset}, got others. Is the file being replaced?`);
  };
  return { path, size, read, close: async () => {} };
}

/** All bytes of an answer; stops reading once there are too many. */
async function collect(answer: Response, path: string, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = (answer.body ?? new Blob([]).stream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > maxBytes) {
      await reader.cancel();
      throw tooLarge(path, maxBytes, size);
    }
    pieces.push(value);
  }
  const [only] = pieces;
  return only && pieces.length === 1 ? only : new Uint8Array(await new Blob(pieces).arrayBuffer());
}

function tooLarge(path: string, maxBytes: number, got: number): SeedlingError {
  return new InputError(`${path}: expected at most ${maxBytes} bytes, got ${got}.`);
}

function refuse(path: string, what: string): never {
  throw new SetupError(`${path}: a browser cannot ${what}. Run this in Node.`);
}
