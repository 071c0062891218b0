import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SeedlingError } from "../base/errors.ts";
import { codeShards, type DescribedCodes, readCodeFolder, readDescribedCodes } from "./described-codes.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-codes-"));
});
afterAll(() => rm(folder, { recursive: true }));

const row = (i: number): DescribedCodes => ({
  codes: Array.from({ length: 32 }, (_, k) => (i + k) % 64),
  caption: `picture ${i}`,
  questions: i % 2 === 0 ? [] : [{ question: "which?", answer: String(i) }],
});

test("rows are made once, shard by shard, and read back as they were", async () => {
  const made: [number, number][] = [];
  const options = {
    folder: join(folder, "shards"),
    count: 4100,
    codebookSize: 64,
    make: async (start: number, size: number) => {
      made.push([start, size]);
      return Array.from({ length: size }, (_, i) => row(start + i));
    },
  };
  const rows = await codeShards(options);
  expect(rows).toEqual(Array.from({ length: 4100 }, (_, i) => row(i)));
  expect(made).toEqual([
    [0, 2000],
    [2000, 2000],
    [4000, 100],
  ]);
  expect(await codeShards(options)).toEqual(rows);
  expect(made).toHaveLength(3);
  expect(await readdir(options.folder)).toHaveLength(3);
  expect(await readCodeFolder(options.folder, 64)).toEqual(rows);
});

test("a damaged line is named by its number", async () => {
  const path = join(folder, "lines.jsonl");
  const good = JSON.stringify(row(1));
  const refusal = async (line: string): Promise<unknown> => {
    await writeFile(path, `${good}\n\n${line}\n`);
    return readDescribedCodes(path, 64).then(
      (rows) => rows.length,
      (error: Error) => error.message,
    );
  };
  expect(await refusal(good)).toBe(2);
  expect(await refusal("{")).toMatch(/lines\.jsonl:3: expected a JSON object a line/);
  expect(await refusal(JSON.stringify({ ...row(1), codes: [1, 2] }))).toMatch(/lines\.jsonl:3: codes/);
  expect(await refusal(JSON.stringify({ ...row(1), codes: Array(32).fill(64) }))).toMatch(
    /expected codes 0\.\.63, got 64/,
  );
  expect(await refusal(JSON.stringify({ ...row(1), caption: "" }))).toMatch(/lines\.jsonl:3: caption/);
  expect(await refusal("x".repeat(1_000_001))).toMatch(/lines\.jsonl:3: expected a line of at most 1000000 bytes/);
  await expect(readDescribedCodes(join(folder, "none.jsonl"), 64)).rejects.toMatchObject({ exitCode: 3 });
  await expect(readCodeFolder(join(folder, "none"), 64)).rejects.toMatchObject({ exitCode: 3 });
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      await writeFile(path, bytes);
      await readDescribedCodes(path, 64).catch((error: unknown) => {
        expect(error).toBeInstanceOf(SeedlingError);
      });
    }),
    { numRuns: 100 },
  );
});
