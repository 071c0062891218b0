/** The browser's storage, with Node's fetch against a small server. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { storage } from "./storage-web.ts";

const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
let server: Server;
let base: string;
let asked: string[] = [];

beforeAll(async () => {
  server = createServer(({ url = "", method, headers }, response) => {
    asked.push(`${method} ${url} ${headers.range ?? ""}`.trim());
    if (url === "/fallback.json") return response.setHeader("Content-Type", "text/html").end("<html>");
    if (url !== "/ranges.bin" && url !== "/whole.bin") return response.writeHead(404).end();
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
  "%s by range; small ranges at its start come with the first request",
  async (name) => {
    asked = [];
    const source = await storage.open(`${base}/${name}`);
    expect(source.size).toBe(bytes.length);
    expect(await source.read(10, 20)).toEqual(bytes.slice(10, 30));
    expect(asked).toHaveLength(1);
    expect(await source.read(150_000, 50_000)).toEqual(bytes.slice(150_000));
    expect(asked).toHaveLength(name === "ranges.bin" ? 2 : 1);
    await expect(source.read(150_001, 50_000)).rejects.toThrow("It is cut short.");
  },
);

test("nothing is written", async () => {
  await expect(storage.makeFolder(`${base}/new`)).rejects.toThrow("a browser cannot make a folder. Run this in Node.");
});

test("packed bytes are unpacked up to a limit", async () => {
  const packed = deflateRawSync(bytes);
  expect(await storage.inflateRaw(packed, bytes.length)).toEqual(bytes);
  await expect(storage.inflateRaw(packed, 1000)).rejects.toThrow("at most 1000 bytes");
  await expect(storage.inflateRaw(Uint8Array.of(255, 255, 255), 1000)).rejects.toThrow();
});
