import { createHash } from "node:crypto";
import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { baseHash, fileHash } from "./file-hash.ts";
import { writeSafetensors } from "./safetensors-write.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hash-"));
});
afterAll(() => rm(folder, { recursive: true }));

const tensor = (name: string, value: number) => ({
  name,
  dtype: "F32" as const,
  shape: [2],
  data: Float32Array.of(value, 1),
});

test("a file is named by its bytes", async () => {
  const path = join(folder, "a");
  await writeFile(path, "some bytes");
  expect(await fileHash(path)).toBe(createHash("sha256").update("some bytes").digest("hex").slice(0, 16));
  await writeFile(path, "");
  expect(await fileHash(path)).toBe(createHash("sha256").digest("hex").slice(0, 16));
  await expect(fileHash(join(folder, "gone"))).rejects.toThrow("gone: no such file");
});

test("a very large file by its length and places of it", async () => {
  const path = join(folder, "large");
  const at = async (position: number): Promise<string> => {
    await writeFile(path, "");
    await truncate(path, 2 ** 28 + 5); // a file with holes: no space on the disk
    const file = await open(path, "r+");
    await file.write("x", position);
    await file.close();
    return fileHash(path);
  };
  const names = [await at(0), await at(2 ** 28 + 4), await at(3)];
  expect(new Set(names).size).toBe(3);
  await truncate(path, 2 ** 28 + 6);
  expect(names).not.toContain(await fileHash(path));
});

test("a base is named by its weights: one file, shards or GGUF", async () => {
  await writeSafetensors(join(folder, "model.safetensors"), [tensor("a", 1)]);
  expect(await baseHash(folder)).toBe(await fileHash(join(folder, "model.safetensors")));
  await writeFile(join(folder, "x.gguf"), "anything");
  expect(await baseHash(join(folder, "x.gguf"))).toBe(await fileHash(join(folder, "x.gguf")));

  await rm(join(folder, "model.safetensors"));
  const shards = { a: "model-1.safetensors", b: "model-2.safetensors" };
  for (const [name, file] of Object.entries(shards)) await writeSafetensors(join(folder, file), [tensor(name, 1)]);
  const index = { metadata: { total_size: 16 }, weight_map: shards };
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
  const before = await baseHash(folder);
  expect(before).toMatch(/^[0-9a-f]{16}$/);
  await writeSafetensors(join(folder, shards.b), [tensor("b", 2)]);
  expect(await baseHash(folder)).not.toBe(before);
});
