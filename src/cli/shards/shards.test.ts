import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Claims } from "../../io/claims-node.ts";
import { Report } from "../report.ts";
import { expectUnchanged, findShards, modelHash, outputName, shardHash, stampOf } from "./shard-names.ts";
import { type ShardPicture, ShardPictures } from "./shard-pictures.ts";
import { type Outcome, shareWork } from "./share-work.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-shard-"));
});
afterEach(async () => {
  process.exitCode = 0;
  await rm(folder, { recursive: true });
});

/** A report, and the lines that it printed. */
function reporting(): { report: Report; lines: string[] } {
  const lines: string[] = [];
  const write = (text: string): boolean => lines.push(text.trimEnd()) > 0;
  return { report: new Report({ screen: { isTTY: false, write } as never, env: {} }), lines };
}

test("an output's name changes with the contents, the model and the options, not with the path", async () => {
  const state = join(folder, "state");
  await mkdir(state);
  const [a, b] = [join(folder, "a.tar"), join(folder, "sub/a.tar")];
  await mkdir(join(folder, "sub"));
  await writeFile(a, "one");
  await writeFile(b, "one");
  const hash = await shardHash(a, state);
  expect(await shardHash(b, state)).toBe(hash);
  expect(outputName(a, hash, "model", "x")).toBe(outputName(b, hash, "model", "x"));
  expect(outputName(a, hash, "model", "x")).not.toBe(outputName(a, hash, "model", "y"));
  expect(outputName(a, hash, "model", "x")).not.toBe(outputName(a, hash, "modelx", ""));
  await writeFile(a, "two");
  await utimes(a, 1, 1);
  expect(await shardHash(a, state)).not.toBe(hash);
  expect(outputName(`${"é".repeat(100)}.tar`, "x")).toHaveLength(60 + 17);
  const before = await stampOf(a);
  await expectUnchanged(a, before);
  await writeFile(a, "longer");
  await expect(expectUnchanged(a, before)).rejects.toMatchObject({ exitCode: 3 });

  const model = join(folder, "model");
  await mkdir(model);
  await writeFile(join(model, "config.json"), "{}");
  await writeFile(join(model, "model.safetensors"), "weights");
  const first = await modelHash(model);
  await writeFile(join(model, "README.md"), "no part of it");
  expect(await modelHash(model)).toBe(first);
  await writeFile(join(model, "model.safetensors"), "Weights");
  expect(await modelHash(model)).not.toBe(first);
});

test("shards are tars, those in folders and those that match; what is missing is one line", async () => {
  for (const name of ["a.tar", "b.TAR", "c.png"]) await writeFile(join(folder, name), "");
  const { report, lines } = reporting();
  const names = ["a.tar", "b.TAR"].map((name) => join(folder, name));
  expect(await findShards([folder, join(folder, "*.tar"), join(folder, "none.tar")], report)).toEqual(names);
  expect(lines).toEqual([`seedling: ${folder}/none.tar: no such file or folder. Check the path.`]);
  await findShards([join(folder, "c.png")], report);
  expect(lines[1]).toBe(`seedling: ${folder}/c.png: expected tar shards, found none.`);
  await expect(findShards(["-"], report)).rejects.toMatchObject({ exitCode: 2 });
});

test("one picture a sample with its caption; links and further pictures are named", async () => {
  const path = join(folder, "a.tar");
  const tar = pack();
  tar.entry({ name: "1.mask.png" }, "mask");
  tar.entry({ name: "1.png" }, "one");
  tar.entry({ name: "1.json" }, '{"caption":["first","second"]}');
  tar.entry({ name: "2.json" }, "{}");
  tar.entry({ name: "3.v2.jpg" }, "three");
  tar.entry({ name: "3.txt" }, "a third\n");
  tar.entry({ name: "4.png", type: "link", linkname: "1.png" });
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  await writeFile(path, Buffer.concat(chunks));
  const { report, lines } = reporting();
  const shard = new ShardPictures(path, report);
  const found: ShardPicture[] = [];
  for await (const picture of shard) found.push(picture);
  expect(found.map(({ nameInShard, caption }) => [nameInShard, caption])).toEqual([
    ["1.png", "first"],
    ["3.v2.jpg", "a third"],
  ]);
  expect(shard.damage).toBeUndefined();
  expect(lines).toEqual([
    `seedling: ${path}: "4.png" is left out: a link to "1.png".`,
    `seedling: ${path}: several pictures in a sample; left out 1.mask.png.`,
  ]);
});

test("work that another has claimed is waited for, and done if the other gives up", async () => {
  const claims = await Claims.open(folder, { staleMs: 60_000 });
  const other = await claims.claim("b");
  const results = new Set<string>();
  const outcomes: [string, Outcome, boolean][] = [];
  const share = (wait: boolean, onWait = (): void => {}): Promise<readonly string[]> =>
    shareWork(["a", "b", "bad", "unreadable"], {
      claims,
      name: async (item) => (item === "unreadable" ? undefined : item),
      present: async (name) => results.has(name),
      work: async (item) => item !== "bad" && results.add(item).size > 0,
      onOutcome: (...outcome) => outcomes.push(outcome),
      onWait,
      wait,
      signal: new AbortController().signal,
      pollMs: 5,
    });
  expect(await share(false)).toEqual(["b"]);
  expect(outcomes.splice(0)).toEqual([
    ["a", "done", false],
    ["bad", "failed", false],
    ["unreadable", "failed", false],
  ]);
  let waits = 0;
  const giveUp = (): void => {
    if (++waits === 3) void other?.release();
  };
  expect(await share(true, giveUp)).toEqual([]);
  expect(waits).toBeGreaterThanOrEqual(3);
  expect(outcomes.at(-1)).toEqual(["b", "done", true]);
  expect(outcomes[0]).toEqual(["a", "present", false]);
});
