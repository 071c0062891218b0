/** Downloads one file of the Hub: resumes where it was cut off, and keeps the file only if its hash is right. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { HubApiError } from "@huggingface/hub";
import { InputError, SetupError } from "../../base/errors.ts";
import { fileError } from "../files.ts";

export interface RemoteFile {
  readonly url: string;
  readonly size: number;
  /** SHA-256 of a large file, or git's SHA-1 of a small one; hexadecimal. */
  readonly hash: string;
  readonly token: string | undefined;
}

/** A connection that is cut is resumed this many times, provided that some bytes arrived. */
const RETRIES = 4;

/**
 * Downloads to `path`. Bytes received so far are kept in `path`.incomplete, from which the next call resumes.
 * @throws HubApiError if the server refuses, SetupError if the connection fails, InputError if the hash is wrong.
 */
export async function fetchFile(
  remote: RemoteFile,
  path: string,
  options: { readonly onBytes: (done: number) => void; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const partial = `${path}.incomplete`;
  for (let attempt = 0; ; attempt++) {
    const before = await sizeOf(partial);
    try {
      await append(remote, partial, options);
      break;
    } catch (error) {
      if (error instanceof HubApiError || !(error instanceof Interrupted)) throw error;
      if (attempt === RETRIES || (await sizeOf(partial)) === before) throw unreachable(remote.url, error.cause);
    }
  }
  if ((await hashOf(partial, remote)) !== remote.hash) {
    await rm(partial, { force: true });
    throw new InputError(
      `${remote.url}: expected hash ${remote.hash}, got another; the download was discarded. Try again.`,
    );
  }
  await rename(partial, path).catch((error: unknown) => {
    throw fileError(error, path);
  });
}

/** The network failed, rather than the disk or the server. */
class Interrupted extends Error {}

/** One line for a server that cannot be reached or hangs up. */
export function unreachable(url: string, cause: unknown): SetupError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const code = (inner as NodeJS.ErrnoException | undefined)?.code ?? (inner instanceof Error ? inner.message : "");
  return new SetupError(
    `${new URL(url).origin}: the connection failed${code ? ` (${code})` : ""}. Check the network and try again; ` +
      "a download continues where it stopped.",
    { cause },
  );
}

async function append(
  { url, size, token }: RemoteFile,
  partial: string,
  { onBytes, signal }: { onBytes: (done: number) => void; signal: AbortSignal | undefined },
): Promise<void> {
  let done = await sizeOf(partial);
  if (done > size) {
    await rm(partial, { force: true });
    done = 0;
  }
  const file = await open(partial, "a").catch((error: unknown) => {
    throw fileError(error, partial);
  });
  try {
    if (done === size) return;
    const headers = {
      "Accept-Encoding": "identity",
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(done > 0 ? { Range: `bytes=${done}-` } : {}),
    };
    const response = await fetch(url, { headers, signal }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw new Interrupted("no answer", { cause });
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new HubApiError(url, response.status);
    }
    if (done > 0 && response.status !== 206) {
      await file.truncate(0); // the server sends the whole file again
      done = 0;
    }
    for await (const chunk of pieces(response, signal)) {
      if (done + chunk.length > size) throw new InputError(`${url}: expected ${size} bytes, got more. Try again.`);
      await write(file, chunk, partial);
      done += chunk.length;
      onBytes(done);
    }
    if (done < size) throw new Interrupted("cut short", { cause: new Error(`${done} of ${size} bytes arrived`) });
  } finally {
    await file.close();
  }
}

async function* pieces(response: Response, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw new Interrupted("cut short", { cause });
    });
    if (done) return;
    yield value;
  }
}

async function write(file: FileHandle, chunk: Uint8Array, path: string): Promise<void> {
  await file.writeFile(chunk).catch((error: unknown) => {
    throw fileError(error, path);
  });
}

async function hashOf(path: string, { hash, size }: RemoteFile): Promise<string> {
  const sum: Hash = hash.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) sum.update(chunk as Buffer);
  } catch (error) {
    throw fileError(error, path);
  }
  return sum.digest("hex");
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
