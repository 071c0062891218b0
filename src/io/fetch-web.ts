/** Files at URLs: requested, fetched whole with progress, checked, and kept for when there is no network. */
import { InputError, SetupError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import { Sha256 } from "../base/sha256.ts";
import { fileError, isMissing } from "./file-error.ts";
import { keep, kept, versionOf } from "./kept-web.ts";

export interface Answer {
  readonly response: Response;
  /** Size of the file, if the server answered with a range of it. */
  readonly total?: number;
}

/** From the first byte to the last, both included. */
type Range = readonly [first: number, last: number];

/**
 * One request, for the whole file or a range of it.
 * @throws InputError if there is no such file; SetupError if the server cannot be reached or refuses
 */
export async function get(url: string, range?: Range, cache: RequestCache = "no-cache"): Promise<Answer> {
  const headers: HeadersInit = range ? { Range: `bytes=${range[0]}-${range[1]}` } : {};
  const response = await fetch(url, { headers, cache }).catch((cause: unknown) => {
    throw new SetupError(`${url}: the connection failed (${reason(cause)}). Check the address and the network.`, {
      cause,
    });
  });
  if (response.status === 404 || (response.ok && isFallback(response, url))) {
    await response.body?.cancel();
    throw fileError({ code: "ENOENT" }, url);
  }
  if (!response.ok) throw new SetupError(`${url}: the server answered with status ${response.status}.`);
  const total = Number(/\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1]);
  return response.status === 206 && Number.isSafeInteger(total) ? { response, total } : { response };
}

/** Size of the file, if a response with all of it states it. The length of a compressed response is another one. */
export function sizeOf({ headers }: Response): number | undefined {
  const length = headers.get("Content-Length");
  return length === null || headers.has("Content-Encoding") ? undefined : Number(length);
}

/** Many servers answer with their start page where there is no file. */
export function isFallback(response: Response, url: string): boolean {
  return /^text\/html/.test(response.headers.get("Content-Type") ?? "") && !/\.html?$/.test(url);
}

/**
 * A small file: from the network, or as it was kept when there is none. Undefined if there is no such file.
 * @throws InputError if it is larger than `maxBytes`; SetupError if there is no network and it was not kept
 */
export async function fetchKept(url: string, maxBytes = 1e6): Promise<Blob | undefined> {
  try {
    const { response } = await get(url);
    const size = sizeOf(response) ?? 0;
    if (size > maxBytes) {
      await response.body?.cancel();
      throw tooLarge(url, maxBytes, size);
    }
    return await keep(url, await collect(response, url, maxBytes), versionOf(response.headers));
  } catch (error) {
    if (isMissing(error)) return undefined;
    const blob = error instanceof SetupError ? await (await kept(url))?.blob() : undefined;
    if (blob) return blob;
    throw error;
  }
}

/** Of all files that are being fetched: bytes received, and bytes in all. Starts again after the last is complete. */
const progress = { active: 0, done: 0, total: 0 };
const listeners = new Set<(doneBytes: number, totalBytes: number) => void>();

/** `listener` is called for all downloads from now on. */
export function onDownload(listener: (doneBytes: number, totalBytes: number) => void): void {
  listeners.add(listener);
}

/**
 * Fetches a whole file and keeps it.
 * @param sha256 what its hash must be, if that is known
 * @throws as `get`; InputError if the hash is another one
 */
export async function download(url: string, sha256?: string): Promise<Blob> {
  const { response } = await get(url, undefined, "no-store"); // it is kept here, not in the browser's own cache as well
  let [come, announced] = [0, sizeOf(response) ?? 0];
  progress.active++;
  progress.total += announced;
  try {
    const blob = await collect(response, url, Number.MAX_SAFE_INTEGER, (bytes) => {
      come += bytes;
      progress.done += bytes;
      if (come > announced) [progress.total, announced] = [progress.total + come - announced, come];
      for (const listener of listeners) listener(progress.done, progress.total);
    });
    const hash = sha256 === undefined ? undefined : await sha256Of(blob);
    if (hash !== sha256)
      throw new InputError(
        `${url}: expected SHA-256 ${sha256}, got ${hash}. It is damaged or was replaced: load it again.`,
      );
    return await keep(url, blob, sha256 ?? versionOf(response.headers));
  } finally {
    if (--progress.active === 0) progress.done = progress.total = 0;
  }
}

/** All bytes of a response; stops reading once there are too many. */
export async function collect(
  response: Response,
  url: string,
  maxBytes: number,
  onBytes?: (bytes: number) => void,
): Promise<Blob> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new SetupError(`${url}: the connection broke off (${reason(cause)}). Try again.`, { cause });
    });
    if (done) return new Blob(pieces);
    size += value.length;
    if (size > maxBytes) {
      await reader.cancel();
      throw tooLarge(url, maxBytes, size);
    }
    pieces.push(value);
    onBytes?.(value.length);
  }
}

export function tooLarge(url: string, maxBytes: number, got: number): InputError {
  return new InputError(`${url}: expected at most ${maxBytes} bytes, got ${got}.`);
}

export async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await blob.arrayBuffer());
}

async function sha256Of(blob: Blob): Promise<string> {
  const bytes = await bytesOf(blob);
  const { subtle } = globalThis.crypto; // undefined on pages of plain http
  if (!subtle) return new Sha256().update(bytes).hex();
  const hash = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
