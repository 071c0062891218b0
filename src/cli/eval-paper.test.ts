/** The command on made-up sets, with a tiny model of random weights: what it writes, says and continues. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { writeTinyLanguageModel } from "../../test/tiny-language-model.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { cosine, retrieval } from "../evaluation/metrics/retrieval.ts";
import type { PaperCard } from "../evaluation/protocol/card.ts";
import { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { evalPaperCommand } from "./eval-paper.ts";
import { writeJson, writeStdout } from "./output.ts";

vi.mock("./output.ts", async (original) => ({
  ...(await original<object>()),
  writeJson: vi.fn(),
  writeStdout: vi.fn(),
}));

const FIXTURE = "test/fixtures/eval-paper";
let root: string;
let model: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-eval-paper-"));
  model = join(root, "model");
  await writeTinyModel(model);
  await writeTinyLanguageModel(model);
});
afterAll(() => rm(root, { recursive: true }));
afterEach(() => {
  vi.mocked(writeJson).mockReset();
  vi.mocked(writeStdout).mockReset();
  process.exitCode = 0;
});

const run = (...args: string[]): Promise<unknown> =>
  evalPaperCommand().parseAsync([...args, "--model", model, "--threads", "1", "-q"], { from: "user" });
const cardOf = async (path: string): Promise<PaperCard> => JSON.parse(await readFile(path, "utf8")) as PaperCard;
const sets = ["coco", "flickr", "nocaps", "vqa", "gqa"].flatMap((name) => [`--${name}`, join(FIXTURE, name)]);

test("all sections run, and the figures are those of the model's own methods", async () => {
  const output = join(root, "card.json");
  await run(...sets, "-o", output, "--clip", model, "--caption-beams", "2", "--steps", "1");
  const card = await cardOf(output);
  expect(Object.keys(card.results)).toEqual([
    ...["retrieval coco", "pictures coco", "captions coco", "retrieval flickr", "pictures flickr", "captions nocaps"],
    ...["questions vqa", "questions gqa"],
  ]);
  const tokenizer = await SeedTokenizer.fromPretrained(model, { threads: 1 });
  try {
    const list = JSON.parse(await readFile(join(FIXTURE, "flickr/flickr30k_test.json"), "utf8")) as {
      image: string;
      caption: string[];
    }[];
    const pictures = list.map(({ image }) => join(FIXTURE, "flickr", image));
    const firsts = list.map(({ caption }) => caption[0]!.toLowerCase().replace(/\.$/, ""));
    // With one caption a picture both kinds of retrieval agree.
    const one = join(root, "one");
    await cp(join(FIXTURE, "flickr"), one, { recursive: true });
    await writeFile(
      join(one, "flickr30k_test.json"),
      JSON.stringify(list.map((own, i) => ({ ...own, caption: firsts[i] }))),
    );
    await run("--flickr", one, "-o", join(root, "one.json"), "--only", "retrieval");
    const rows = (await cardOf(join(root, "one.json"))).results["retrieval flickr"]!.rows;
    const texts = await tokenizer.embedText(firsts, { maxTokens: 6 });
    const scores = retrieval(await tokenizer.embed(pictures), texts, firsts);
    expect(rows.embeddings!["R@mean"]!.own.mean).toBeCloseTo(scores.mean, 10);
    const originals = await tokenizer.clipImage(pictures);
    expect(cosine(originals[0]!, originals[0]!)).toBeCloseTo(1);
    expect(
      Math.abs(card.results["pictures flickr"]!.rows["from codes"]!["CLIP similarity"]!.own.mean),
    ).toBeLessThanOrEqual(100);
  } finally {
    await tokenizer.close();
  }
  expect(Object.keys(card.model.weights)).toEqual(["tokenizer", "language", "judge"]);
  expect(card.settings).toMatchObject({
    retrieval: { textTokens: 6 },
    captions: { beams: 2, prompts: "paper" },
    decoding: { steps: 1 },
  });
  expect(vi.mocked(writeStdout).mock.calls.at(-1)![0]).toContain("93.7 SEED (arXiv 2307.08041)");
});

test("a second run takes all from the work that was kept, and writes the same card", async () => {
  const output = join(root, "again.json");
  const args = [
    "--coco",
    join(FIXTURE, "coco"),
    "-o",
    output,
    "--only",
    "captions",
    "--prompts",
    "own",
    "--caption-beams",
    "1",
  ];
  await run(...args);
  const [card, work] = await Promise.all([readFile(output, "utf8"), readFile(`${output}.work.jsonl`, "utf8")]);
  await run(...args);
  expect(await readFile(output, "utf8")).toBe(card);
  expect(await readFile(`${output}.work.jsonl`, "utf8")).toBe(work);
  await run(...args, "--filter", "bilinear", "--json");
  expect((await readFile(`${output}.work.jsonl`, "utf8")).length).toBeGreaterThan(work.length);
  expect(vi.mocked(writeJson)).toHaveBeenCalledTimes(1);
});

test("what is missing is counted, and the exit code says so", async () => {
  const coco = join(root, "coco");
  await cp(join(FIXTURE, "coco"), coco, { recursive: true });
  await rm(join(coco, "val2014/COCO_val2014_000000386164.jpg"));
  const output = join(root, "less.json");
  const said: string[] = [];
  const print = vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
  try {
    await run("--coco", coco, "-o", output, "--only", "retrieval");
  } finally {
    print.mockRestore();
  }
  expect(process.exitCode).toBe(3);
  expect((await cardOf(output)).sets.coco!.problems).toEqual({
    "missing pictures": { count: 1, first: ["val2014/COCO_val2014_000000386164.jpg"] },
  });
  expect(said.join("")).toContain("coco: missing pictures: 1.");
});

test("no data set, and a jar that is not there, are refused before any work", async () => {
  await expect(run("-o", join(root, "x.json"))).rejects.toThrow("Name one: --coco, --flickr, --nocaps, --vqa, --gqa.");
  const args = ["--coco", join(FIXTURE, "coco"), "-o", join(root, "x.json"), "--spice", "none.jar"];
  await expect(run(...args)).rejects.toThrow("none.jar: expected spice-1.0.jar, found nothing.");
});
