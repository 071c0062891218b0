import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Claims } from "./claims-node.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-claims-"));
});
afterEach(() => rm(folder, { recursive: true }));

const LONG = 600_000;
const open = (staleMs = LONG): Promise<Claims> => Claims.open(folder, { staleMs });
const files = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith(".claim")).sort();
/** As if nobody had renewed the claim for an hour. */
async function age(name: string): Promise<void> {
  const hourAgo = Date.now() / 1000 - 3600;
  await utimes(join(folder, name), hourAgo, hourAgo);
}

test("of many that claim at once exactly one gets it, and it is free again only when the work is done", async () => {
  const claims = await open();
  const got = (await Promise.all(Array.from({ length: 50 }, () => claims.claim("a")))).filter(Boolean);
  expect(got).toHaveLength(1);
  expect(await claims.claim("a")).toBeUndefined();
  expect(await got[0]?.held()).toBe(true);
  expect(got[0]?.takenOver).toBe(false);
  const other = await claims.claim("b");
  await other?.done();
  await got[0]?.done();
  expect(await files()).toEqual([]);
});

test("of many that find a stale claim exactly one takes it over, and the old owner learns of it", async () => {
  const claims = await open(1000 * 1800);
  const old = await claims.claim("a");
  await age("a.0.claim");
  const got = (await Promise.all(Array.from({ length: 50 }, () => claims.claim("a")))).filter(Boolean);
  expect(got).toHaveLength(1);
  expect(got[0]?.takenOver).toBe(true);
  expect(await old?.held()).toBe(false);
  expect(await got[0]?.held()).toBe(true);
  // The old owner gives up; that does not make the work free.
  await old?.release();
  expect(await claims.claim("a")).toBeUndefined();
  await got[0]?.done();
  expect(await files()).toEqual([]);
});

test("a claim that is kept alive does not go stale, and one that is given up can be taken at once", async () => {
  const claims = await open(400);
  const claim = await claims.claim("a");
  await sleep(1200);
  expect(await claim?.held()).toBe(true);
  expect(await claims.claim("a")).toBeUndefined();
  await claim?.release();
  const next = await claims.claim("a");
  expect(next?.takenOver).toBe(true);
  await next?.done();
});

test.runIf(process.platform === "linux")("a process of this system that has ended need not go stale", async () => {
  const claims = await open();
  const claim = await claims.claim("a");
  const path = join(folder, "a.0.claim");
  const child = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => child.on("close", resolve));
  const owner = JSON.parse(await readFile(path, "utf8")) as object;
  await writeFile(path, JSON.stringify({ ...owner, pid: child.pid, system: "another" }));
  expect(await claims.claim("a")).toBeUndefined();
  await writeFile(path, JSON.stringify({ ...owner, pid: child.pid }));
  const next = await claims.claim("a");
  expect(next?.takenOver).toBe(true);
  await claim?.release();
  await next?.done();
});

test("claims left behind by work that is done are removed", async () => {
  const claims = await open();
  await claims.claim("a").then((claim) => claim?.release());
  await claims.claim("a").then((claim) => claim?.release());
  expect(await files()).toEqual(["a.0.claim", "a.1.claim"]);
  await claims.forget("a");
  expect(await files()).toEqual([]);
});

test("a folder that cannot be made is one clear line", async () => {
  await writeFile(join(folder, "file"), "");
  await expect(Claims.open(join(folder, "file"), { staleMs: 1 })).rejects.toMatchObject({ exitCode: 4 });
});
