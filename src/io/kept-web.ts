/** Files that the browser keeps (Cache API), by URL. Without it, as on pages of plain http, nothing is kept. */

const NAME = "seedling-models-1";
/** Tells versions of a file apart: its hash, or what the server says about it. */
const VERSION = "x-seedling-version";

export interface KeptFile {
  readonly version: string;
  blob(): Promise<Blob>;
}

export async function kept(url: string): Promise<KeptFile | undefined> {
  const found = await (await open())?.match(url).catch(() => undefined);
  return found && { version: found.headers.get(VERSION) ?? "", blob: () => found.blob() };
}

/** Returns the file as it is kept, on the disk of the browser; the same blob if it cannot be kept. */
export async function keep(url: string, blob: Blob, version: string): Promise<Blob> {
  try {
    const cache = await open();
    await cache?.put(url, new Response(blob, { headers: { [VERSION]: version } }));
    return (await (await cache?.match(url))?.blob()) ?? blob;
  } catch {
    return blob; // the disk is full, or the browser keeps nothing in private windows
  }
}

/** The version of a response, as far as its headers tell. */
export function versionOf(headers: Headers): string {
  return [headers.get("ETag") ?? "", headers.get("Last-Modified") ?? ""].join(" ").trim();
}

async function open(): Promise<Cache | undefined> {
  try {
    return await globalThis.caches?.open(NAME);
  } catch {
    return undefined;
  }
}
