/** Downloads a model of the Hugging Face Hub to the shared cache, unless it is there already. */
import { HUB_URL, HubApiError, type ListFileEntry, listFiles, modelInfo } from "@huggingface/hub";
import { InputError, type SeedlingError, SetupError } from "../../base/errors.ts";
import { quote, reason } from "../../base/one-line.ts";
import { type CachedFile, ModelCache } from "./cache-node.ts";
import { fetchFile, unreachable } from "./fetch-file-node.ts";
import type { Hub, ModelName } from "./hub.ts";
import type { DownloadOptions } from "./model.ts";

/** The files of a model folder; pictures, papers and pickles are not downloaded. */
const allWeights = (paths: readonly string[]): string[] => paths.filter((path) => /\.(json|safetensors)$/.test(path));

export const hub: Hub = { download };

async function download(model: ModelName, options: DownloadOptions): Promise<string> {
  const { id, name, revision } = model;
  const cache = new ModelCache(name);
  const cached = await cache.find(revision);
  if (isOn(process.env.HF_HUB_OFFLINE)) {
    if (cached) return cached;
    throw new SetupError(`${id}: not in the cache, and HF_HUB_OFFLINE is set. Download it once without.`);
  }
  try {
    return await fetchModel(model, endpoint(), cache, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    // Without a network, a cached model may be used even if it is not the latest.
    if (cached && error instanceof SetupError && error.cause instanceof TypeError) return cached;
    throw error;
  }
}

interface Server {
  readonly url: string;
  readonly token: string | undefined;
}

async function fetchModel(
  { id, name, revision }: ModelName,
  server: Server,
  cache: ModelCache,
  { onProgress, signal, wanted = allWeights }: DownloadOptions,
): Promise<string> {
  // The library accepts tokens of huggingface.co only, and others may be served from elsewhere.
  const ask = {
    hubUrl: server.url,
    fetch: (input: string | URL | Request, init?: RequestInit) => {
      const headers = new Headers(init?.headers);
      if (server.token) headers.set("Authorization", `Bearer ${server.token}`);
      return fetch(input, { ...init, headers, signal: signal ?? null });
    },
  };
  const { commit, files } = await (async () => {
    const { sha } = await modelInfo({ name, revision, additionalFields: ["sha"], ...ask });
    const entries: ListFileEntry[] = [];
    for await (const entry of listFiles({ repo: name, revision: sha, recursive: true, ...ask })) entries.push(entry);
    const files = entries.filter(({ type }) => type === "file");
    const needed = new Set(wanted(files.map(({ path }) => path)));
    return { commit: sha, files: files.filter(({ path }) => needed.has(path)) };
  })().catch((error: unknown) => {
    throw explain(error, id, server);
  });
  if (files.length === 0)
    throw new InputError(`${id}: expected a model folder's files, found none. Is it a SEED model?`);
  const known = files.map((file) => checkEntry(file, commit, id));
  const total = known.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  for (const file of known) {
    const { path, size, hash } = file;
    if (!(await cache.has(commit, file))) {
      const blob = await cache.blob(hash);
      const url = `${server.url}/${name}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
      const onBytes = (done: number) => onProgress?.(before + done, total);
      await fetchFile({ url, size, hash, token: server.token }, blob, { onBytes, signal }).catch((error: unknown) => {
        throw explain(error, id, server);
      });
    }
    before += size;
    onProgress?.(before, total);
  }
  return cache.link(revision, commit, known);
}

/** A server's listing is checked before use, as its paths and hashes become paths on this disk. */
function checkEntry(file: ListFileEntry, commit: string, id: string): CachedFile {
  const { path, lfs, oid } = file;
  const [hash, size] = [lfs?.oid ?? oid ?? "", lfs?.size ?? file.size];
  const inside = path.split("/").every((part) => /^[^\\:\0]+$/.test(part) && part !== "." && part !== "..");
  const known = /^[0-9a-f]{40}$/.test(commit) && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash);
  if (inside && known && Number.isSafeInteger(size) && size >= 0) return { path, size, hash };
  throw new InputError(
    `${id}: expected files with plain paths, sizes and hashes, got ${quote(path)}. Do not trust it.`,
  );
}

function endpoint(): Server {
  const url = (process.env.HF_ENDPOINT || HUB_URL).replace(/\/+$/, "");
  if (!/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ""))
    throw new SetupError(`HF_ENDPOINT: expected an address that begins with http, got ${quote(url)}.`);
  const token = process.env.HF_TOKEN?.trim() || undefined;
  if (token && url === HUB_URL && !/^hf_\w+$/.test(token))
    throw new SetupError("HF_TOKEN: expected a token that begins with hf_. Correct it.");
  if (token && /[^\x21-\x7e]/.test(token))
    throw new SetupError("HF_TOKEN: expected a token of plain characters. Correct it.");
  return { url, token };
}

function isOn(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? "");
}

/** Errors of the server as one line. */
function explain(error: unknown, id: string, { url, token }: Server): SeedlingError | Error {
  if (error instanceof HubApiError) {
    const { statusCode } = error;
    if (statusCode === 404) return new InputError(`${id}: no such model or revision on the Hub (404). Check the name.`);
    if (statusCode === 401 || statusCode === 403) {
      const fix = token ? "HF_TOKEN is not allowed to read it" : "For a private one set HF_TOKEN";
      return new SetupError(`${id}: no such model, or access is restricted (${statusCode}). Check the name. ${fix}.`);
    }
    return new SetupError(`${id}: the Hub answered with status ${statusCode}. Try again later.`);
  }
  if (error instanceof TypeError) return unreachable(url, error);
  if (error instanceof SyntaxError) return new SetupError(`${url}: expected an answer in JSON (${reason(error)}).`);
  return error as Error;
}
