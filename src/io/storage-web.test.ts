/** The browser's storage, with Node's fetch against a small server. */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { storage } from "./storage-web.ts";

const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
let server: Server;
let base: string;
let asked: string[] = [];
/** Of versions.bin; "gone" breaks off the connection. */
let version = "1";

const LISTED = {
  format: "seedling-files-1",
  files: [
    { path: "a.bin", sizeBytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") },
    { path: "sub/b.bin", sizeBytes: bytes.length, sha256: "0".repeat(64) },
  ],
};

beforeAll(async () => {
  server = createServer(({ url = "", method, headers }, response) => {
    asked.push(`${method} ${url} ${headers.range ?? ""}`.trim());
    if (url === "/fallback.json") return response.setHeader("Content-Type", "text/html").end("<html>");
    if (url === "/listed/files.json") return response.end(JSON.stringify(LISTED));
    if (url === "/versions.bin" && version === "gone") return response.destroy();
    if (url === "/versions.bin") response.setHeader("ETag", `"${version}"`);
    if (!/^\/(ranges|whole|versions|listed\/a|listed\/sub\/b)\.bin$/.test(url)) return response.writeHead(404).end();
    const [, from, to] = (url === "/ranges.bin" && /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "")) || [];
    if (from === undefined) return response.setHeader("Content-Length", bytes.length).end(bytes);
    const piece = bytes.subarray(Number(from), Number(to) + 1);
    response.writeHead(206, { "Content-Range": `bytes ${from}-${to}/${bytes.length}` }).end(piece);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

test("what is at an address: a file, nothing, a server's start page, a folder by its name", async () => {
  expect(await storage.kind(`${base}/ranges.bin`)).toBe("file");
  expect(await storage.kind(`${base}/none.json`)).toBeUndefined();
  expect(await storage.kind(`${base}/fallback.json`)).toBeUndefined();
  expect(await storage.kind(`${base}/models/v1.5`)).toBe("folder");
  expect(await storage.kind("http://127.0.0.1:9/none.json")).toBeUndefined();
});

test("a whole file within the limit, beyond it, missing, unreachable", async () => {
  expect(await storage.read(`${base}/whole.bin`, 200_000)).toEqual(bytes);
  await expect(storage.read(`${base}/whole.bin`, 1000)).rejects.toThrow("expected at most 1000 bytes, got 200000.");
  await expect(storage.read(`${base}/none.bin`, 1000)).rejects.toThrow("no such file or folder. Check the path.");
  await expect(storage.read(`${base}/fallback.json`, 1000)).rejects.toThrow("no such file or folder");
  await expect(storage.read("http://127.0.0.1:9/a.bin", 1000)).rejects.toThrow("the connection failed");
});

test.each(["ranges.bin", "whole.bin"])(
  "%s: the header by range, anything beyond it with the whole file",
  async (name) => {
    asked = [];
    const source = await storage.open(`${base}/${name}`);
    expect(source.size).toBe(bytes.length);
    expect(await source.read(10, 20)).toEqual(bytes.slice(10, 30));
    expect(asked).toHaveLength(1);
    expect(await source.read(40_000, 40_000)).toEqual(bytes.slice(40_000, 80_000));
    expect(await source.read(150_000, 50_000)).toEqual(bytes.slice(150_000));
    expect(await source.read(100_000, 50_000)).toEqual(bytes.slice(100_000, 150_000));
    const whole = `GET /${name}`;
    const header = `${whole} bytes=0-65535`;
    expect(asked).toEqual(name === "ranges.bin" ? [header, `${whole} bytes=40000-79999`, whole] : [header, whole]);
    await expect(source.read(150_001, 50_000)).rejects.toThrow("It is cut short.");
  },
);

describe("with the browser's cache", () => {
  const entries = new Map<string, Response>();
  beforeEach(() => {
    entries.clear();
    asked = [];
    const cache = {
      match: async (url: string) => entries.get(url)?.clone(),
      put: async (url: string, response: Response) => void entries.set(url, response),
    };
    vi.stubGlobal("caches", { open: async () => cache });
    vi.resetModules();
  });
  afterAll(() => vi.unstubAllGlobals());
  /** As a page that is opened again. */
  const opened = async () => {
    vi.resetModules();
    return (await import("./storage-web.ts")).storage;
  };

  test("a file is fetched once, again when the server has another version, and is there without the server", async () => {
    const url = `${base}/versions.bin`;
    const load = async () => new Uint8Array((await (await (await opened()).load(url))?.arrayBuffer()) ?? []);
    expect(await load()).toEqual(bytes);
    expect(await load()).toEqual(bytes);
    expect(asked).toEqual(["GET /versions.bin", "HEAD /versions.bin"]);
    version = "2";
    await load();
    expect(asked.slice(2)).toEqual(["HEAD /versions.bin", "GET /versions.bin"]);
    version = "gone";
    expect(await load()).toEqual(bytes);
    const offline = await opened();
    expect(await offline.kind(url)).toBe("file");
    expect(await (await offline.open(url)).read(150_000, 9)).toEqual(bytes.slice(150_000, 150_009));
    expect(await offline.read(url, 200_000)).toEqual(bytes);
    version = "1";
  });

  test("a folder's listing says what is there, without asking, and which bytes are right", async () => {
    const storage = await opened();
    expect(await storage.kind(`${base}/listed`)).toBe("folder");
    expect(await storage.kind(`${base}/listed/sub`)).toBe("folder");
    expect(await storage.kind(`${base}/listed/other`)).toBeUndefined();
    expect(await storage.kind(`${base}/listed/a.bin`)).toBe("file");
    expect(await storage.kind(`${base}/listed/none.bin`)).toBeUndefined();
    await expect(storage.read(`${base}/listed/none.bin`, 9)).rejects.toThrow("no such file or folder");
    expect(asked).toEqual(["GET /listed/files.json"]);
    const done: number[] = [];
    storage.onDownload((bytesDone) => done.push(bytesDone));
    expect((await storage.load(`${base}/listed/a.bin`))?.size).toBe(bytes.length);
    expect(done.at(-1)).toBe(bytes.length);
    await expect(storage.load(`${base}/listed/sub/b.bin`)).rejects.toThrow(
      `${base}/listed/sub/b.bin: expected SHA-256 0000`,
    );
    const again = await opened();
    await again.kind(`${base}/listed`);
    asked = [];
    expect(await again.read(`${base}/listed/a.bin`, 200_000)).toEqual(bytes);
    expect(asked).toEqual([]);
  });
});

test("nothing is written", async () => {
  await expect(storage.makeFolder(`${base}/new`)).rejects.toThrow("a browser cannot make a folder. Run this in Node.");
});

test("packed bytes are unpacked up to a limit", async () => {
  const packed = deflateRawSync(bytes);
  expect(await storage.inflateRaw(packed, bytes.length)).toEqual(bytes);
  await expect(storage.inflateRaw(packed, 1000)).rejects.toThrow("at most 1000 bytes");
  await expect(storage.inflateRaw(Uint8Array.of(255, 255, 255), 1000)).rejects.toThrow();
});
