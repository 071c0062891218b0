import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { assemble } from "./assemble.ts";

test("a folder that no stage was trained in is named", async () => {
  const root = await mkdtemp(join(tmpdir(), "seedling-assemble-"));
  await expect(assemble({ root, out: join(root, "out"), head: "draft", dtype: "F16" })).rejects.toMatchObject({
    exitCode: 3,
    message: `${root}: expected the run folder of a chain, found no tokenizer.json. Train its stages first.`,
  });
  await rm(root, { recursive: true });
});
