/** Searching an index by text, by picture, by codes; small pictures of what is found. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { decodeImage, encodePng } from "../image/index.ts";
import { FlatIndex } from "../search/flat-index.ts";
import { makeIndex, toInt8 } from "../search/picture-index.ts";
import { createApp } from "./app.ts";
import { fakeModel } from "./fake-model.ts";
import { type Listening, listen } from "./listen.ts";
import { ModelPool } from "./model-pool.ts";
import { PictureSearch } from "./picture-search.ts";

/** The fake model's embedding of a text is [its length, 0.5], that of a picture [its first byte, 1]. */
const ROWS = [Float32Array.of(1, 0), Float32Array.of(0, 1), Float32Array.of(0.6, 0.8)];
const codes = (first: number): number[] => [first, ...Array(31).fill(0)];
const picture = (first: number): string => `data:image/png;base64,${Buffer.from([first]).toString("base64")}`;

let root: string;
let server: Listening;

async function start(codebook = "fake codes"): Promise<Listening> {
  const entries = ROWS.map((vector, i) => ({
    picture: { path: join(root, `${i}.png`), sizeBytes: 1, changedMs: Date.UTC(2024, 4, i + 1) },
    codes: codes(i),
    ...toInt8(vector),
  }));
  return listen(
    createApp({
      pool: new ModelPool([{ id: "fake", open: async () => fakeModel() }], { maxWaiting: 9, keepAliveMs: 0 }),
      ...{ version: "0", hosts: ["127.0.0.1"], origins: [], maxBodyBytes: 9000, deadlineMs: 1000 },
      pictures: { maxBytes: 9000, allowUrls: false },
      png: encodePng,
      search: new PictureSearch(new FlatIndex(makeIndex({ codebook, model: "fake", width: 2 }, entries))),
    }),
    { host: "127.0.0.1", port: 0, graceMs: 100 },
  );
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-search-"));
  await writeFile(join(root, "0.png"), await encodePng({ width: 400, height: 100, data: new Uint8Array(120_000) }));
  server = await start();
});
afterEach(async () => {
  await server.close();
  await rm(root, { recursive: true });
});

async function search(body: object): Promise<{ status: number; ids: number[]; text: string }> {
  const answer = await fetch(`${server.url}/v1/search`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  const { data = [] } = JSON.parse(text) as { data?: { id: number }[] };
  return { status: answer.status, ids: data.map(({ id }) => id), text };
}

test("by a text, a picture, or both, which count the same; the best first", async () => {
  expect((await search({ text: "a long text" })).ids).toEqual([0, 2, 1]);
  expect((await search({ image: picture(0), n: 2 })).ids).toEqual([1, 2]);
  const { text } = await search({ text: "", image: picture(0) });
  expect(text).toContain("text");
  const both = JSON.parse((await search({ text: "a", image: picture(0) })).text) as { data: object[] };
  expect(both.data[0]).toMatchObject({ id: 2, path: join(root, "2.png"), codes: codes(2) });
});

test("by codes; only pictures of a time; a glob of a stranger is not matched, as some take forever", async () => {
  expect((await search({ codes: codes(0) })).ids).toEqual([1, 2, 0]);
  expect((await search({ codes: codes(9) })).ids).toEqual([0, 2, 1]);
  expect((await search({ text: "a", codes: codes(0), n: 1 })).ids).toEqual([2]);
  const at = (filter: object): Promise<{ ids: number[] }> => search({ codes: codes(0), ...filter });
  expect(await search({ codes: codes(0), path: "*a*a*a*b" })).toMatchObject({ status: 400 });
  expect((await at({ since: "2024-05-02" })).ids).toEqual([1, 2]);
  expect((await at({ since: "2024-05-02", until: "2024-05-03T00:00:00Z" })).ids).toEqual([1]);
  expect(await at({ since: "soon" })).toMatchObject({ status: 400, text: expect.stringContaining("since") });
  expect(await search({ codes: [1, 2] })).toMatchObject({ status: 400, text: expect.stringContaining("codes") });
});

test("nothing to look for, and an index of another model, are refused", async () => {
  expect(await search({})).toMatchObject({
    status: 400,
    text: expect.stringContaining("expected a text, an image or codes"),
  });
  await server.close();
  server = await start("other codes");
  expect(await search({ text: "a" })).toMatchObject({
    status: 400,
    text: expect.stringContaining("model: expected the one of the index, fake"),
  });
});

test("a picture of the index is small; one that is gone or was never there is 404", async () => {
  const answer = await fetch(`${server.url}/v1/search/pictures/0`);
  const { width, height } = await decodeImage(new Uint8Array(await answer.arrayBuffer()), "thumbnail");
  expect([answer.headers.get("content-type"), width, height]).toEqual(["image/png", 192, 48]);
  for (const id of ["1", "77", "-1", "1e3", "..%2f0"])
    expect([404, 400], id).toContain((await fetch(`${server.url}/v1/search/pictures/${id}`)).status);
});
