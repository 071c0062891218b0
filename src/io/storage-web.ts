/**
 * Storage in a browser: paths are URLs, relative ones belong to the page. A name without an extension is a folder, as a
 * server has no way to say so. Headers are read by range; what is needed whole is fetched once and kept in the browser, so
 * that a model works without a network afterwards. Nothing is written.
 */
import { crc32 } from "../base/crc32.ts";
import { SetupError } from "../base/errors.ts";
import { Sha256 } from "../base/sha256.ts";
import { type ByteSource, checkRange } from "./byte-source.ts";
import { bytesOf, collect, download, fetchKept, get, isFallback, onDownload, sizeOf, tooLarge } from "./fetch-web.ts";
import { fileError } from "./file-error.ts";
import { kept, versionOf } from "./kept-web.ts";
import { listedFile, listsFolder, lookForListing } from "./listing-web.ts";
import type { Storage } from "./storage.ts";
import { basename, dirname, join } from "./url-paths.ts";

/** The first request for a file asks for this much, bytes: most headers need no second one. */
const FIRST = 2 ** 16;
/** Reading beyond the header of a smaller file fetches all of it: it will be needed, and a request for each tensor is slower. */
const WHOLE_BYTES = 2 ** 28;

export const storage: Storage = {
  join,
  dirname,
  basename,
  fromUrl: (url) => url.href,

  async kind(path) {
    const url = absolute(path);
    if (isFolder(url)) {
      await lookForListing(url);
      return (await listsFolder(url)) === false ? undefined : "folder";
    }
    const listed = await listedFile(url);
    if (listed) return listed === "absent" ? undefined : "file";
    const answer = await fetch(url, { method: "HEAD" }).catch(() => undefined);
    if (!answer) return (await kept(url)) ? "file" : undefined;
    return answer.ok && !isFallback(answer, url) ? "file" : undefined;
  },

  list: async (folder) => refuse(folder, "list a folder"),

  realpath: async (path) => absolute(path),

  async read(path, maxBytes) {
    const url = absolute(path);
    const listed = await expectListed(url);
    if (listed && listed.sizeBytes > maxBytes) throw tooLarge(path, maxBytes, listed.sizeBytes);
    return bytesOf(listed ? await whole(url, listed.sha256) : await readUnlisted(url, maxBytes));
  },

  async open(path) {
    const url = absolute(path);
    const listed = await expectListed(url);
    const found = (await wholes.get(url)) ?? (listed && (await keptBlob(url, listed.sha256)));
    return found ? blobSource(url, found) : openByRange(url, listed?.sha256);
  },

  async load(path) {
    const url = absolute(path);
    return whole(url, (await expectListed(url))?.sha256);
  },

  onDownload,

  makeFolder: async (path) => refuse(path, "make a folder"),
  write: async (path) => refuse(path, "write a file"),
  writeFolder: async (path) => refuse(path, "write a folder"),
  copy: async (_, to) => refuse(to, "write a file"),
  scratch: async () => undefined,

  sha256: () => new Sha256(),
  crc32,

  async inflateRaw(packed, maxBytes) {
    const unpacked = new Blob([packed as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new DecompressionStream("deflate-raw"));
    return bytesOf(await collect(new Response(unpacked), "deflate", maxBytes));
  },
};

function absolute(path: string): string {
  return new URL(path, globalThis.location?.href).href;
}

function isFolder(url: string): boolean {
  return !/\.[a-z][a-z\d]*$/i.test(basename(url.replace(/[?#].*$/, "")));
}

/** What the listing says of a file that must be there. @throws InputError if it names no such file */
async function expectListed(url: string) {
  const listed = await listedFile(url);
  if (listed === "absent") throw fileError({ code: "ENOENT" }, url);
  return listed;
}

/** A small file, which a server may have replaced since it was kept. */
async function readUnlisted(url: string, maxBytes: number): Promise<Blob> {
  const blob = await fetchKept(url, maxBytes);
  if (blob) return blob;
  throw fileError({ code: "ENOENT" }, url);
}

/** Files that have been fetched whole, or are being. */
const wholes = new Map<string, Promise<Blob>>();

function whole(url: string, sha256: string | undefined): Promise<Blob> {
  let blob = wholes.get(url);
  if (!blob) {
    blob = keptOrFetched(url, sha256);
    wholes.set(url, blob);
    blob.catch(() => wholes.delete(url)); // the next one tries again
  }
  return blob;
}

async function keptOrFetched(url: string, sha256: string | undefined): Promise<Blob> {
  const version = sha256 ?? ((await kept(url)) && (await currentVersion(url)));
  return (await keptBlob(url, version)) ?? download(url, sha256);
}

/** The file as it is kept: of the version wanted, or of any where the server cannot be asked. */
async function keptBlob(url: string, version: string | undefined): Promise<Blob | undefined> {
  const file = await kept(url);
  const usable = file && (version === undefined || (version !== "" && file.version === version));
  return usable ? file.blob() : undefined;
}

/** "" if the server does not tell versions apart; undefined if it cannot be reached. */
async function currentVersion(url: string): Promise<string | undefined> {
  const answer = await fetch(url, { method: "HEAD", cache: "no-cache" }).catch(() => undefined);
  return answer && versionOf(answer.headers);
}

async function openByRange(url: string, sha256: string | undefined): Promise<ByteSource> {
  let answer: Awaited<ReturnType<typeof get>>;
  try {
    answer = await get(url, [0, FIRST - 1]);
  } catch (error) {
    const blob = error instanceof SetupError ? await keptBlob(url, sha256) : undefined;
    if (blob) return blobSource(url, blob);
    throw error;
  }
  const { response, total } = answer;
  const found = await keptBlob(url, sha256 ?? versionOf(response.headers));
  const size = total ?? sizeOf(response);
  if (found || size === undefined) {
    await response.body?.cancel();
    return blobSource(url, found ?? (await whole(url, sha256)));
  }
  const first = await firstBytes(response, Math.min(FIRST, size));
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    checkRange(url, size, offset, length);
    const end = offset + length;
    if (end <= first.length) return first.slice(offset, end);
    const byRange = total !== undefined && (offset < FIRST || size > WHOLE_BYTES) && !wholes.has(url);
    const bytes = byRange ? await range(url, offset, end) : (await whole(url, sha256)).slice(offset, end);
    if (bytes.size === length) return bytesOf(bytes);
    throw new SetupError(`${url}: expected ${length} bytes at ${offset}, got others. Is the file being replaced?`);
  };
  return { path: url, size, read, close: async () => {} };
}

async function range(url: string, begin: number, end: number): Promise<Blob> {
  const { response, total } = await get(url, [begin, end - 1]);
  return total === undefined ? new Blob() : collect(response, url, end - begin);
}

/** The beginning of a response; the rest of a server that does not know ranges is not read. */
async function firstBytes(response: Response, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  for (let size = 0; size < count; ) {
    const { done, value } = await reader.read();
    if (done) return bytes.subarray(0, size);
    bytes.set(value.subarray(0, count - size), size);
    size += value.length;
  }
  await reader.cancel();
  return bytes;
}

function blobSource(path: string, blob: Blob): ByteSource {
  const read = async (offset: number, length: number) => {
    checkRange(path, blob.size, offset, length);
    return bytesOf(blob.slice(offset, offset + length));
  };
  return { path, size: blob.size, read, close: async () => {} };
}

function refuse(path: string, what: string): never {
  throw new SetupError(`${path}: a browser cannot ${what}. Run this in Node.`);
}
