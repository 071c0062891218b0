/** A headless Chromium, and a server of files for it. Without Chromium its tests are skipped, or fail where it is required. */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, resolve } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { type Browser, chromium } from "playwright-core";

const CHROMIUM = [process.env["CHROMIUM_PATH"], "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);

export const noBrowser: boolean = CHROMIUM === undefined && !process.env["SEEDLING_REQUIRE_BROWSER"];
/** For the name of a suite, so that a report says why it was skipped. */
export const inChromium = `in Chromium${noBrowser ? " (not installed)" : ""}`;

export function startBrowser(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM ?? "chromium", args: ["--no-sandbox", ...args] });
}

/** Software WebGPU: right, and slow. */
export const SWIFTSHADER = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-gpu"];

export async function bundle(options: BuildOptions): Promise<Uint8Array> {
  const { outputFiles } = await build({
    ...options,
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    conditions: ["@seedling/source"],
    logLevel: "error",
  });
  return outputFiles?.[0]?.contents ?? new Uint8Array();
}

const MIME: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webp": "image/webp",
};

export interface FileServer {
  readonly url: string;
  /** Bytes sent, by path. */
  readonly sent: Map<string, number>;
  close(): void;
}

export interface FileServerOptions {
  /** Files by path that are in no folder. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
  /** Folders that are served below "/". */
  readonly folders: Readonly<Record<string, string>>;
}

/**
 * Files as a plain host serves them. Below "/whole/" ranges are ignored; below "/isolated/" pages are cross-origin
 * isolated, which WebAssembly needs for threads.
 */
export async function serveFiles({ files, folders }: FileServerOptions): Promise<FileServer> {
  const sent = new Map<string, number>();
  const find = async (path: string): Promise<Uint8Array | undefined> => {
    const made = files?.get(path);
    if (made) return made;
    for (const [prefix, folder] of Object.entries(folders)) {
      if (!path.startsWith(prefix)) continue;
      const file = resolve(folder, path.slice(prefix.length).replace(/^$|\/$/, "$&index.html"));
      if (file.startsWith(resolve(folder)) && (await stat(file).catch(() => undefined))?.isFile())
        return readFile(file);
    }
    return undefined;
  };
  const server: Server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const [, mode] = /^\/(whole|isolated)(?=\/)/.exec(pathname) ?? [];
    const path = decodeURIComponent(mode ? pathname.slice(mode.length + 1) : pathname);
    const bytes = await find(path);
    if (!bytes) return void response.writeHead(404).end();
    response.setHeader("Content-Type", MIME[extname(path) || ".html"] ?? "application/octet-stream");
    response.setHeader("Last-Modified", "Sat, 01 Jan 2028 00:00:00 GMT");
    if (mode === "isolated") {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    const [, from, to] = (mode !== "whole" && /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")) || [];
    const piece = from === undefined ? bytes : bytes.subarray(Number(from), Number(to) + 1);
    if (from !== undefined) {
      response.statusCode = 206;
      response.setHeader("Content-Range", `bytes ${from}-${Number(from) + piece.length - 1}/${bytes.length}`);
    }
    response.setHeader("Content-Length", piece.length);
    if (request.method === "HEAD") return void response.end();
    sent.set(path, (sent.get(path) ?? 0) + piece.length);
    response.end(piece);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    close: () => void server.close().closeAllConnections(),
  };
}
