/** Model folders that a page fetches, from the server and as a static site. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createApp } from "./app.ts";
import { fakeModel } from "./fake-model.ts";
import { type Listening, listen } from "./listen.ts";
import { ModelPool } from "./model-pool.ts";
import { writeStaticSite } from "./static-site.ts";

let root: string;
let server: Listening;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-files-"));
  await mkdir(join(root, "model", "unet"), { recursive: true });
  await mkdir(join(root, "page"));
  await writeFile(join(root, "page", "index.html"), "<h1>page</h1>");
  await writeFile(join(root, "model", "config.json"), "{}");
  await writeFile(join(root, "model", "secret.txt"), "secret");
  await writeFile(join(root, "model", "unet", "model.safetensors"), "0123456789");
  await symlink("/etc/passwd", join(root, "model", "passwd.json"));
  server = await listen(
    createApp({
      pool: new ModelPool([{ id: "mini", open: async () => fakeModel("mini") }], { maxWaiting: 1, keepAliveMs: 0 }),
      version: "0",
      hosts: ["127.0.0.1"],
      origins: [],
      maxBodyBytes: 1000,
      pictures: { maxBytes: 1000, allowUrls: false },
      deadlineMs: 1000,
      png: async () => new Uint8Array(),
      page: join(root, "page"),
      modelFolders: new Map([
        ["mini", join(root, "model")],
        ["none", join(root, "page")],
      ]),
    }),
    { host: "127.0.0.1", port: 0, graceMs: 100 },
  );
});
afterEach(async () => {
  await server.close();
  await rm(root, { recursive: true });
});

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(server.url + path, { headers });

test("model folders are offered with sizes and hashes, their files by range, and nothing else", async () => {
  expect(await (await get("/models.json")).json()).toEqual({ models: ["mini"] });
  const { files } = (await (await get("/models/mini/files.json")).json()) as { files: { path: string }[] };
  expect(files).toEqual([
    { path: "config.json", sizeBytes: 2, sha256: sha256("{}") },
    { path: "unet/model.safetensors", sizeBytes: 10, sha256: sha256("0123456789") },
  ]);
  const range = await get("/models/mini/unet/model.safetensors", { range: "bytes=2-4" });
  expect([range.status, await range.text()]).toEqual([206, "234"]);
  for (const path of ["/models/mini/secret.txt", "/models/mini/passwd.json", "/models/mini/..%2fpage/index.html"])
    expect((await get(path)).status, path).toBe(404);
  for (const path of ["/models/none/index.html", "/models/none/files.json", "/models/other/config.json"])
    expect((await get(path)).status, path).toBe(404);
});

test("a static site has the page, the model's files and their listing; a folder that is not a model is refused", async () => {
  const out = join(root, "site");
  await rm(join(root, "model", "passwd.json"));
  await writeStaticSite(out, join(root, "page"), new Map([["mini", join(root, "model")]]));
  const read = (path: string): Promise<string> => readFile(join(out, path), "utf8");
  expect(await read("index.html")).toBe("<h1>page</h1>");
  expect(JSON.parse(await read("models.json"))).toEqual({ models: ["mini"] });
  expect(await read("models/mini/unet/model.safetensors")).toBe("0123456789");
  expect(JSON.parse(await read("models/mini/files.json")).files).toHaveLength(2);
  await expect(read("models/mini/secret.txt")).rejects.toThrow();
  await expect(writeStaticSite(out, join(root, "page"), new Map())).rejects.toThrow("new or empty");
  await expect(
    writeStaticSite(join(root, "other"), join(root, "page"), new Map([["none", join(root, "page")]])),
  ).rejects.toThrow("expected a model folder of at most 1 GB");
});
