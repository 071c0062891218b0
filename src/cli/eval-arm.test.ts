/** Arms of a tiny model on the committed sprites, read back by `paper`. */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTinyLanguageModel } from "../../test/tiny-language-model.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { noWordNet, withWordNet } from "../../test/word-net.ts";
import { type Atlas, loadAtlas } from "../data/index.ts";
import { evalArmCommand } from "./eval-arm.ts";
import { paperCommand } from "./paper.ts";

let root: string;
let model: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-arm-"));
  model = join(root, "model");
  await writeTinyModel(model);
  await writeTinyLanguageModel(model);
  await mkdir(join(root, "arms"));
});
afterAll(() => rm(root, { recursive: true }));

/** The committed sprites lack the headline style; those of the validation style stand for it. */
async function drawings(): Promise<Atlas> {
  const { sprites } = await loadAtlas("test/fixtures/sprites.bin.br");
  return { sprites: sprites.map((s) => (s.style === "streamline-emojis" ? { ...s, style: "openmoji" as const } : s)) };
}

async function run(table: string, arm: string, ...more: string[]): Promise<unknown> {
  const output = join(root, "arms", `${table}-${arm}.json`);
  const args = [
    table,
    arm,
    "-o",
    output,
    "--model",
    model,
    "--made",
    "seedling train x",
    "--threads",
    "1",
    "-q",
    "--nouns",
    "0",
  ];
  await evalArmCommand(drawings).parseAsync([...args, "--count", "10", "--spans", "4", "--gallery", "20", ...more], {
    from: "user",
  });
  return JSON.parse(await readFile(output, "utf8"));
}

test("retrieval: every picture's hits, of both numbers of candidates", async () => {
  const arm = await run("retrieval", "causal-codes", "--losses", "published");
  const command = expect.stringContaining("seedling train x && seedling eval arm retrieval causal-codes");
  expect(arm).toMatchObject({ seed: 1, losses: "published", command });
  const { results } = arm as { results: Record<string, { recall: { rows: number[][] } }> };
  expect(Object.keys(results).slice(0, 2)).toEqual(["test, 10 candidates", "test, 50 candidates"]);
  expect(results["test, 50 candidates"]!.recall.rows).toHaveLength(50);
}, 300_000);

test.skipIf(noWordNet)(
  `floors and drawings, from which paper makes its tables, ${withWordNet}`,
  async () => {
    await run("generation", "original", "--judge", model);
    await run("generation", "flat");
    await run("understanding", "habit");
    await run("causality", "causal-codes");
    const output = join(root, "paper.md");
    await paperCommand().parseAsync(["--arms", join(root, "arms"), "-o", output, "-q"], { from: "user" });
    const text = await readFile(output, "utf8");
    expect(text).toContain("| _the original picture_ | 100.0 (100.0 to 100.0) | 100.0 (100.0 to 100.0) |");
    expect(text).toMatch(/\| _habit answers_ \|.* [\d.]+ \([\d.]+ to [\d.]+\) \|/);
    await expect(run("generation", "gill")).rejects.toThrow("gill: expected codes-text, codes-image");
  },
  300_000,
);
