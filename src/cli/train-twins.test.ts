/** The arms of the papers' tables at toy size, on the committed sprites: trained, measured, and not trained twice. */
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTinyJudge } from "../../test/tiny-judge.ts";
import { writeTinyLanguageModel } from "../../test/tiny-language-model.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { noWordNet } from "../../test/word-net.ts";
import { type Atlas, loadAtlas } from "../data/index.ts";
import { trainCommand } from "./train.ts";

const TIMEOUT_MS = 1_800_000; // a minute on an idle core
const recipe = (name: string): string => fileURLToPath(new URL(`../../test/recipes/${name}`, import.meta.url));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-twins-"));
  await writeTinyModel(join(root, "tiny"));
  await writeTinyLanguageModel(join(root, "tiny"));
  await writeTinyJudge(join(root, "judge"), ["dog", "cat", "star", "tree"]);
  await train([recipe("vae.json"), recipe("clip.json")], "--run", join(root, "source"));
}, TIMEOUT_MS);
afterAll(() => rm(root, { recursive: true }));

/** The committed sprites lack the headline style; those of the validation style stand for it. */
async function drawings(): Promise<Atlas> {
  const { sprites } = await loadAtlas("test/fixtures/sprites.bin.br");
  return { sprites: sprites.map((s) => (s.style === "streamline-emojis" ? { ...s, style: "openmoji" as const } : s)) };
}

async function train(recipes: readonly string[], ...more: string[]): Promise<void> {
  await trainCommand(drawings).parseAsync([...recipes, "--threads", "1", "-q", ...more], { from: "user" });
}

const twins = (...more: string[]): Promise<void> =>
  train(
    [recipe("paper")],
    ...["--run", join(root, "paper"), "--source", join(root, "source"), "--base", join(root, "tiny", "lm")],
    ...["--judge-run", join(root, "judge"), ...more],
  );

interface Result {
  readonly budget: { readonly pictures: number; readonly steps: number };
  readonly results: Readonly<Record<string, Readonly<Record<string, object>>>>;
}

const resultOf = async (name: string): Promise<Result> =>
  JSON.parse(await readFile(join(root, "paper", "results", `${name}.json`), "utf8"));

test(
  "arms of pictures: each in a run of its own on one tower, measured as rows of the tables, once",
  async () => {
    await twins("--twins", "bilateral-ours", "codes-text", "gill", "codes-4");
    const files = (await readdir(join(root, "paper", "results"))).sort();
    expect(files).toContain("generation-gill-ours-1.png");
    expect(files.filter((name) => name.endsWith(".json"))).toEqual([
      "ablations-codes-8-ours-1.json",
      "generation-caption-ours-1.json",
      "generation-codes-ours-ours-1.json",
      "generation-codes-text-ours-1.json",
      "generation-codes-text-ours-2.json",
      "generation-gill-ours-1.json",
      "retrieval-bilateral-embeddings-ours-1.json",
      "retrieval-causal-codes-ours-1.json",
      "retrieval-causal-codes-published-1.json",
      "retrieval-causal-codes-published-2.json",
      "retrieval-causal-embeddings-published-1.json",
      "retrieval-causal-embeddings-published-2.json",
    ]);
    const codes = await resultOf("retrieval-causal-codes-published-1");
    expect(codes.budget).toMatchObject({ pictures: 32, steps: 4 });
    expect(Object.keys(codes.results["test, 10 candidates"]!)).toEqual(["recall", "codes in use"]);
    const again = await resultOf("retrieval-causal-codes-published-2");
    expect(again.results).not.toEqual(codes.results); // another seed
    const { results } = await resultOf("generation-gill-ours-1");
    expect(Object.keys(results.test!)).toEqual(["judge similarity", "own similarity", "objects found"]);
    const { results: few } = await resultOf("ablations-codes-8-ours-1");
    expect(Object.keys(few["test, 10 candidates"]!)).toEqual(
      expect.arrayContaining(["codes in use", "judge similarity"]),
    );
    expect(await readdir(join(root, "paper", "codes-text-2"))).not.toContain("codebook"); // it reads that of an arm
    expect(await readFile(join(root, "paper", "paper.md"), "utf8")).toContain("| codes, text head (v1) |");

    const result = join(root, "paper", "results", "generation-gill-ours-1.json");
    const before = (await stat(result)).mtimeMs;
    await twins("--twins", "gill");
    expect((await stat(result)).mtimeMs).toBe(before);
    await expect(twins("--twins", "gil")).rejects.toThrow(
      /paper: expected arms among causal-published, .*, got gil\.$/,
    );
    await expect(twins("--until", "clip")).rejects.toThrow(
      "--until: expected a chain or recipe files with it, got twins",
    );
  },
  TIMEOUT_MS,
);

test.skipIf(noWordNet)(
  "arms of language models: codes, vectors, codes of pixels, nothing; and drawings without a rule",
  async () => {
    await twins("--twins", "see-continuous", "see-pixels", "see-nothing", "draw-causal");
    for (const arm of ["codes", "continuous", "pixel-codes", "blind"]) {
      const { results } = await resultOf(`understanding-${arm}-ours-1`);
      expect(Object.keys(results.test!)).toEqual([
        ...["CIDEr-D", "BLEU-4", "METEOR", "ROUGE-L", "object F1", "VQA accuracy", "exact match"],
        ...["CIDEr-D, 5 beams", "VQA accuracy, 5 beams"],
      ]);
    }
    const { results } = await resultOf("causality-causal-codes-ours-1");
    expect(Object.keys(results["4 prompts"]!)).toEqual(["whole pictures", "objects found"]);
  },
  TIMEOUT_MS,
);
