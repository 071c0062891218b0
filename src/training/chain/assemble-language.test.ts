import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writePeftFolder } from "../../weights/index.ts";
import { assembleLanguage } from "./assemble-language.ts";
import { machine, writeRunRecord } from "./run-record.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-assemble-language-"));
  for (const base of ["run/base", "downloaded"]) {
    await mkdir(join(root, base), { recursive: true });
    await writeFile(join(root, base, "config.json"), "{}");
  }
});
afterAll(() => rm(root, { recursive: true }));

/** A finished stage of the run folder that took an hour for each phase. */
async function finish(name: string, stage: string, score: number): Promise<void> {
  const folder = join(root, "run", name);
  await mkdir(folder, { recursive: true });
  const finishedAt = "2026-01-01T00:00:00.000Z";
  const phase = { identity: { recipe: name }, steps: 10, seconds: 3600, scores: { score }, finishedAt, commit: "c" };
  const finished = [{ ...phase, machine: machine() }];
  await writeRunRecord(folder, { format: "seedling-run-1", stage, phases: 1, finished });
}

async function adapter(folder: string, base: string): Promise<string> {
  const lora = { rank: 1, alpha: 1, dropout: 0, targets: ["q_proj"] };
  await writePeftFolder(folder, { lora, base, weights: new Map() });
  return folder;
}

async function recordIn(out: string): Promise<Record<string, unknown> & { stages: { name: string }[] }> {
  return JSON.parse(await readFile(join(out, "training.json"), "utf8"));
}

test("training.json gets the stages behind an adapter, next to those that it has", async () => {
  await finish("lm-pretrain", "lm-pretrain", 1);
  await finish("see", "see", 2);
  await finish("see-and-draw", "see-and-draw", 3);
  await finish("instruct", "instruct", 4);
  await finish("my-instruct", "instruct", 5);
  await finish("judge", "judge", 6);
  const out = join(root, "model");
  await mkdir(out);
  const others = [
    { name: "clip", hours: 2 },
    { name: "see", hours: 7 },
  ];
  const scores = { clip: { recall: 1 }, language: { captions: 1 } };
  const old = { format: "seedling-training-1", chain: "mini", stages: others, hours: 9, scores };
  await writeFile(join(out, "training.json"), JSON.stringify(old));
  const own = await adapter(join(root, "run", "my-instruct", "adapter"), join(root, "run", "base"));
  await assembleLanguage({ adapter: own, out });
  const record = await recordIn(out);
  const names = ["clip", "lm-pretrain", "see", "see-and-draw", "my-instruct"];
  expect(record.stages.map(({ name }) => name)).toEqual(names);
  // The old scores of the language model were those of another one.
  expect(record).toMatchObject({ chain: "mini", hours: 6 });
  expect(Object.keys(record["scores"] as object)).toEqual(names);
});

test("the stage that made the base counts only if the base is of this run", async () => {
  const out = join(root, "other-model");
  const own = await adapter(join(root, "run", "see", "adapter"), join(root, "downloaded"));
  await assembleLanguage({ adapter: own, out });
  expect((await recordIn(out)).stages.map(({ name }) => name)).toEqual(["see"]);
});

test("nothing is written about an adapter from elsewhere", async () => {
  const out = join(root, "third-model");
  await assembleLanguage({ adapter: await adapter(join(root, "mine"), join(root, "downloaded")), out });
  await expect(recordIn(out)).rejects.toThrow("ENOENT");
});
