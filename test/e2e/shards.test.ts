/** `tokenize --shards`: what processes write together, and what is left when some are killed. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, expect, test } from "vitest";
import { unpackCodes } from "../../src/codes/index.ts";
import { readCodeFolder } from "../../src/data/described-codes.ts";
import { tarFileEntries } from "../../src/data/tar.ts";
import { readShard, type ShardSample, writeShard } from "../../src/data/webdataset.ts";
import { encodePng } from "../../src/image/index.ts";
import { writeTinyModel } from "../tiny-model.ts";
import { finished, run, start } from "./run.ts";

const SHARDS = 6;
const EACH = 5;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-shards-"));
  await writeTinyModel(join(root, "model"));
  await mkdir(join(root, "in"));
  for (let s = 0; s < SHARDS; s++) await writeShard(join(root, `in/${s}.tar`), samples(s));
});
afterAll(() => rm(root, { recursive: true }));

async function* samples(shard: number): AsyncGenerator<ShardSample> {
  for (let i = 0; i < EACH; i++) {
    const data = Uint8Array.from({ length: 16 * 16 * 3 }, (_, k) => (k * (shard + 2) + i * 97) % 256);
    const png = await encodePng({ width: 16, height: 16, data });
    yield { key: `${shard}-${i}`, files: i === 0 ? { png } : { png, txt: `number ${i}` } };
  }
}

const args = (out: string, ...more: string[]): string[] => [
  ...["tokenize", "in/*.tar", "--shards", out, "--model", "model", "--threads", "1", "--batch", "2", ...more],
];
const shards = (out: string, ...more: string[]) => run(args(out, ...more), { cwd: root });

/** Names and contents of outputs. */
async function outputs(out: string): Promise<Record<string, string>> {
  const names = (await readdir(join(root, out))).filter((name) => name !== ".seedling").sort();
  const entries = names.map(async (name) => [name, (await readFile(join(root, out, name))).toString("base64")]);
  return Object.fromEntries(await Promise.all(entries)) as Record<string, string>;
}
const named = (names: Record<string, string>, ending: string): string[] =>
  Object.keys(names).filter((name) => name.endsWith(ending));

test("one output a shard, equal codes in all formats; what is there is skipped", async () => {
  const first = await shards("packed", "--json");
  expect(first).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(first.stdout.toString())).toMatchObject({
    shards: SHARDS,
    written: SHARDS,
    pictures: SHARDS * EACH,
  });
  const packed = await outputs("packed");
  expect(Object.keys(packed)).toHaveLength(2 * SHARDS);
  expect(await shards("packed")).toMatchObject({
    code: 0,
    stderr: "wrote 0 shards (0 pictures, 6 there already) to packed\n",
  });
  expect(await outputs("packed")).toEqual(packed);

  const [bin, list] = [named(packed, ".bin")[0] as string, named(packed, ".names.txt")[0] as string];
  expect(bin).toMatch(/^0-[0-9a-f]{16}\.bin$/);
  const codes = unpackCodes(Buffer.from(packed[bin] as string, "base64"), bin);
  const names = Array.from({ length: EACH }, (_, i) => `0-${i}.png`);
  expect(Buffer.from(packed[list] as string, "base64").toString()).toBe(names.map((name) => `${name}\n`).join(""));
  const plain = await run(["tokenize", "in/0.tar", "--model", "model", "-q"], { cwd: root });
  expect(plain.stdout.toString()).toBe(codes.map((one) => `${one.join(" ")}\n`).join(""));

  await shards("lines", "--output-format", "jsonl");
  const lines = await outputs("lines");
  const text = Buffer.from(Object.values(lines)[0] as string, "base64").toString();
  const rows = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(rows).toEqual(
    codes.map((one, i) => ({ name: names[i], codes: one, ...(i > 0 && { caption: `number ${i}` }) })),
  );

  await shards("parquet", "--output-format", "parquet", "--embeddings");
  const table = Buffer.from(Object.values(await outputs("parquet"))[0] as string, "base64");
  const file = table.buffer.slice(table.byteOffset, table.byteOffset + table.length) as ArrayBuffer;
  const read = await parquetReadObjects({ file });
  expect(read.map(({ name, codes, caption }) => ({ name, codes, caption }))).toEqual(
    codes.map((one, i) => ({ name: names[i], codes: one, caption: i > 0 ? `number ${i}` : null })),
  );
  for (const { embedding } of read) expect(Math.hypot(...(embedding as number[]))).toBeCloseTo(1, 5);
  expect(parquetMetadata(file).key_value_metadata?.map(({ key }) => key)).toEqual(["seedling.model", "seedling.input"]);

  await shards("tars", "--output-format", "webdataset");
  const tar = Buffer.from(Object.values(await outputs("tars"))[0] as string, "base64");
  const found: unknown[] = [];
  for await (const { key, files } of readShard([tar] as never, "tar", (line) => expect.fail(line)))
    found.push([key, Object.keys(files), JSON.parse(new TextDecoder().decode(files["codes.json"]))]);
  expect(found).toEqual(
    codes.map((one, i) => [`0-${i}`, i > 0 ? ["png", "txt", "codes.json"] : ["png", "codes.json"], one]),
  );
});

test("killed processes lose nothing and leave nothing twice: the outputs are those of one process", async () => {
  expect(await shards("alone", "--output-format", "jsonl")).toMatchObject({ code: 0 });
  for (let round = 0; round < 3; round++) {
    const children = Array.from({ length: 3 }, () =>
      start(args("together", "--output-format", "jsonl", "--stale", "3", "-q"), { cwd: root }),
    );
    const ends = children.map((child) => finished(child));
    // Two are killed as soon as there is something to be lost: a claim, then an output.
    await until(async () => (await state("together")).some((name) => name.endsWith(".claim")));
    children[0]?.kill("SIGKILL");
    await sleep(50 * round);
    children[1]?.kill("SIGKILL");
    if (round < 2) children[2]?.kill("SIGKILL");
    const [, , last] = await Promise.all(ends);
    if (round === 2) expect(last).toMatchObject({ code: 0, stderr: "" });
    else await dropOne("together");
  }
  expect(await outputs("together")).toEqual(await outputs("alone"));
  expect((await state("together")).filter((name) => name.endsWith(".claim"))).toEqual([]);
});

test.each(["jsonl", "webdataset"])(
  "killed in the middle of a shard, it leaves nothing that looks whole: %s",
  async (format) => {
    await mkdir(join(root, "long"), { recursive: true });
    const many = (async function* () {
      for (let i = 0; i < 60; i++) for await (const { key, files } of samples(i)) yield { key, files };
    })();
    await writeShard(join(root, "long/0.tar"), many);
    const command = (out: string): string[] => [
      ...["tokenize", "long", "--shards", out, "--model", "model", "--threads", "1", "--batch", "1", "--stale", "3"],
      ...["--output-format", format, "-q"],
    ];
    const [whole, cut] = [`whole-${format}`, `cut-${format}`];
    expect(await run(command(whole), { cwd: root })).toMatchObject({ code: 0, stderr: "" });
    const written = async (): Promise<number> => {
      const names = (await readdir(join(root, cut)).catch(() => [])).filter((name) => name !== ".seedling");
      const sizes = await Promise.all(
        names.map((name) =>
          stat(join(root, cut, name)).then(
            ({ size }) => size,
            () => 0,
          ),
        ),
      );
      return sizes.reduce((a, b) => a + b, 0);
    };
    const child = start(command(cut), { cwd: root });
    const end = finished(child);
    await until(async () => (await written()) >= 500 || child.exitCode !== null);
    child.kill("SIGKILL");
    expect((await end).code).toBeNull(); // it was not done yet
    expect(Object.keys(await outputs(cut)).filter((name) => !name.startsWith("."))).toEqual([]);
    expect(await run(command(cut), { cwd: root })).toMatchObject({ code: 0, stderr: "" });
    expect(await outputs(cut)).toEqual(await outputs(whole));
  },
  600_000, // three processes on a busy machine
);

const state = (out: string): Promise<string[]> => readdir(join(root, out, ".seedling")).catch(() => []);

/** An output less, so that the next round has something to do in any case. */
async function dropOne(out: string): Promise<void> {
  const [first] = named(await outputs(out), ".jsonl").filter((name) => !name.startsWith("."));
  if (first) await unlink(join(root, out, first));
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await holds()); await sleep(5))
    if (Date.now() > deadline) throw new Error("waited in vain");
}

/** A shard of five samples that ends within the fourth: in the middle of its picture, or right after it. */
async function cutShard(path: string, where: "within" | "after"): Promise<void> {
  await writeShard(path, samples(7));
  for await (const { name, offset, size } of tarFileEntries(path))
    if (name === "7-3.png") await truncate(path, offset + (where === "within" ? 20 : Math.ceil(size / 512) * 512));
}

test("a damaged shard keeps its good part, marked partial; one that vanished and one without pictures are reported", async () => {
  await mkdir(join(root, "bad"));
  await cutShard(join(root, "bad/cut.tar"), "within");
  await cutShard(join(root, "bad/even.tar"), "after");
  await writeShard(join(root, "bad/good.tar"), samples(8));
  await writeShard(join(root, "bad/none.tar"), [{ key: "a", files: { txt: "no picture" } }]);
  await writeFile(join(root, "bad/zip.tar"), Buffer.from([0x1f, 0x8b, 8, 0]));
  const bad = ["tokenize", "bad", "gone.tar", "--shards", "kept", "--output-format", "jsonl", "--model", "model"];
  const { code, stderr } = await run(bad, { cwd: root });
  expect(code).toBe(3);
  const names = Object.keys(await outputs("kept"));
  expect(names).toEqual([
    expect.stringMatching(/^cut-[0-9a-f]{16}\.partial\.jsonl$/),
    expect.stringMatching(/^even-[0-9a-f]{16}\.partial\.jsonl$/),
    expect.stringMatching(/^good-[0-9a-f]{16}\.jsonl$/),
  ]);
  const lines = stderr.trimEnd().split("\n").sort();
  expect(lines).toEqual([
    "seedling: 5 of 16 inputs were skipped.",
    expect.stringMatching(
      /^seedling: bad\/cut\.tar: the tar is damaged or cut off .* "7-3\.\w+" .*\. Copy it again\. The 3 pictures before that are in cut-[0-9a-f]{16}\.partial\.$/,
    ),
    expect.stringMatching(
      /^seedling: bad\/even\.tar: the tar is cut off: it has no end\. Copy it again\. The 3 pictures before that are in even-/,
    ),
    "seedling: bad/none.tar: expected pictures in this shard, found none.",
    "seedling: bad/zip.tar: expected a plain tar, got a gzip file. Unpack it first.",
    "seedling: gone.tar: no such file or folder. Check the path.",
    expect.stringMatching(/^wrote 3 shards \(11 pictures, 2 partial\) to kept$/),
  ]);
});

test("lines with captions are what language models are trained with", async () => {
  await mkdir(join(root, "captioned"));
  const captioned = (async function* () {
    for await (const { key, files } of samples(3)) yield { key, files: { ...files, txt: `words of ${key}` } };
  })();
  await writeShard(join(root, "captioned/a.tar"), captioned);
  const command = ["tokenize", "captioned", "--shards", "codes", "--output-format", "jsonl", "--model", "model", "-q"];
  expect(await run(command, { cwd: root })).toMatchObject({ code: 0 });
  const rows = await readCodeFolder(join(root, "codes"), 64);
  expect(rows.map(({ caption, questions }) => [caption, questions])).toEqual(
    Array.from({ length: EACH }, (_, i) => [`words of 3-${i}`, []]),
  );
});

test("a folder that cannot be written and options that do not go together are one clear line", async () => {
  await writeFile(join(root, "file"), "");
  const refused = await shards("file/out");
  expect(refused.code).toBe(4);
  expect(refused.stderr.trimEnd().split("\n")).toHaveLength(1);
  for (const wrong of [["--packed"], ["--embeddings"], ["-o", "x"]]) {
    const { code, stderr } = await shards("out", ...wrong);
    expect([code, stderr.trimEnd().split("\n").length]).toEqual([2, 1]);
  }
  expect(await run(["tokenize", "in", "--stale", "3"], { cwd: root })).toMatchObject({ code: 2 });
  expect(await run(["tokenize", "in", "--shards", "in", "--output-format", "webdataset"], { cwd: root })).toMatchObject(
    {
      code: 2,
    },
  );
});
