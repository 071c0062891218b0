/** `seedling train recipes/own` on the pictures that the repository ships, at a step a stage, and what opens its result. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeImage } from "../../src/image/index.ts";
import type { TrainingRecord } from "../../src/training/index.ts";
import { type Finished, run } from "./run.ts";

const TIMEOUT = 300_000;
const repository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PICTURES = repository("data/own-pictures");
const STAGES = ["vae", "clip", "causal-qformer", "codebook", "diffusion", "see", "see-and-draw", "instruct"];
const RUN = "mein Lauf ü";
const MODEL = join(RUN, "model");

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-own-"));
});
afterAll(() => rm(root, { recursive: true }));

const seedling = (...args: string[]): Promise<Finished> => run([...args, "--threads", "1"], { cwd: root });
const train = (...args: string[]): Promise<Finished> =>
  seedling("train", repository("recipes/own"), "--data", PICTURES, "--run", RUN, "--steps", "1", ...args);

test(
  "fifty captioned pictures become a model folder that reconstructs, describes and draws",
  async () => {
    const { code, stdout, stderr } = await train();
    expect(code, stderr).toBe(0);
    // The plan comes first and is what is trained.
    expect(stderr).toMatch(/^42 pictures to learn from, 8 held out, a codebook of 256 codes:$/m);
    for (const stage of STAGES) {
      expect(stderr).toMatch(new RegExp(`^ {2}${stage} +1 step of 16 +each picture 0\\.4 times`, "m"));
      expect(stderr.indexOf(`\n${stage}, 1 step: `)).toBeGreaterThan(stderr.indexOf("Ctrl-C saves"));
    }
    expect(stdout.toString()).toMatch(/validation\/textToImageR1/);
    expect(stderr.trim().split("\n").at(-1)).toBe(`wrote ${MODEL}`);

    const record = JSON.parse(await readFile(join(root, MODEL, "training.json"), "utf8")) as TrainingRecord;
    expect(record.stages.map(({ name }) => name)).toEqual(STAGES);
    expect(await readFile(join(root, RUN, "report.html"), "utf8")).toContain("textToImageR1");

    const picture = join(PICTURES, "900000.png");
    const back = await seedling("reconstruct", picture, "--model", MODEL, "-o", "zurück.png");
    expect(back.code, back.stderr).toBe(0);
    expect((await decodeImage(await readFile(join(root, "zurück.png")), "picture")).width).toBeGreaterThanOrEqual(64);
    const said = await seedling("describe", picture, "--model", MODEL, "--best-of", "2", "--json");
    expect(said.code, said.stderr).toBe(0);
    expect(JSON.parse(said.stdout.toString())).toMatchObject({ image: picture, text: expect.any(String) });
    const drawn = await seedling("draw", "a red apple", "--model", MODEL, "-o", "apple.png");
    expect(drawn.code, drawn.stderr).toBe(0);
    expect((await stat(join(root, "apple.png"))).size).toBeGreaterThan(100);
    const codes = await seedling("tokenize", PICTURES, "--model", MODEL);
    const ids = codes.stdout.toString().match(/\b\d{1,4}\b(?= |\n|$)/g) ?? [];
    expect(Math.max(...ids.map(Number))).toBeLessThan(256);

    const again = await train();
    expect(again).toMatchObject({ code: 0, stdout: Buffer.alloc(0) });
    expect(again.stderr.match(/^\S+ is finished$/gm)).toHaveLength(STAGES.length);
    expect(await readdir(join(root, RUN))).toEqual(expect.arrayContaining(STAGES));
  },
  TIMEOUT,
);

test("own pictures are refused where there are none, or too few, before anything is trained", async () => {
  const none = await run(["train", repository("recipes/own"), "--run", "none"], { cwd: root });
  expect(none).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/expected your own pictures .* Name them with --data\.$/m),
  });
  const on = (...data: string[]): Promise<Finished> =>
    seedling("train", repository("recipes/own"), "--run", "none", "--data", ...data);
  expect(await on(join(PICTURES, "900000.png"))).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(
      /^seedling: \S+: expected a folder or a tar, got a picture\. Name the folder .*\.\n$/,
    ),
  });
  await mkdir(join(root, "few"));
  for (const name of ["900000.png", "900000.txt"]) await copyFile(join(PICTURES, name), join(root, "few", name));
  expect(await on("few")).toMatchObject({
    code: 3,
    stderr: "seedling: --data: expected 50 to 500,000 captioned pictures, got 1.\n",
  });
  expect(await on("*.tar")).toMatchObject({ code: 3, stderr: expect.stringMatching(/^seedling: \*\.tar: .*\.\n$/) });
  expect(await readdir(root)).not.toContain("none");
});
