/** The page's files: only what is in its folder, links resolved, with types and caching. */
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import type { Context } from "hono";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** Names that carry a hash of their content never change. */
const HASHED = /[.-][A-Za-z0-9_-]{8,}\.(js|css|wasm|png|webp|woff2)$/;

/** @param below the part of the path that stands for the folder itself */
export function staticFiles(folder: string, below = ""): (c: Context) => Promise<Response> {
  return async (c) => {
    const path = await insideFolder(folder, c.req.path.slice(below.length));
    const info = path ? await stat(path) : undefined;
    if (!path || !info?.isFile()) return c.notFound();
    const headers: Record<string, string> = {
      "content-type": TYPES[extname(path).toLowerCase()] ?? "application/octet-stream",
      "cache-control": HASHED.test(path) ? "public, max-age=31536000, immutable" : "no-cache",
      "last-modified": info.mtime.toUTCString(),
      "accept-ranges": "bytes",
    };
    const range = rangeOf(c.req.header("range"), info.size);
    if (range === "unsatisfiable") return c.body(null, 416, { "content-range": `bytes */${info.size}` });
    const since = Date.parse(c.req.header("if-modified-since") ?? "");
    if (!range && Math.floor(info.mtimeMs / 1000) * 1000 <= since) return c.body(null, 304, headers);
    const [start, end] = range ?? [0, info.size - 1];
    headers["content-length"] = String(Math.max(end - start + 1, 0));
    if (range) headers["content-range"] = `bytes ${start}-${end}/${info.size}`;
    if (c.req.method === "HEAD" || info.size === 0) return c.body(null, range ? 206 : 200, headers);
    const stream = Readable.toWeb(createReadStream(path, { start, end })) as ReadableStream;
    return c.body(stream, range ? 206 : 200, headers);
  };
}

/** The file that a path of a request names, or nothing for what is outside. */
async function insideFolder(folder: string, requested: string): Promise<string | undefined> {
  let name: string;
  try {
    name = decodeURIComponent(requested);
  } catch {
    return undefined;
  }
  if (name.includes("\0") || name.includes("\\")) return undefined;
  const root = await realpath(folder);
  const wanted = resolve(root, `.${name.endsWith("/") ? join(name, "index.html") : name}`);
  const real = await realpath(wanted).catch(() => undefined);
  return real?.startsWith(root + sep) ? real : undefined;
}

/** One range of bytes, as model files are read; several at once are answered with the whole file. */
function rangeOf(header: string | undefined, size: number): readonly [number, number] | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const [from, to] = [match[1] ?? "", match[2] ?? ""];
  const start = from === "" ? Math.max(size - Number(to), 0) : Number(from);
  const end = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  return start > end || start >= size ? "unsatisfiable" : [start, end];
}
