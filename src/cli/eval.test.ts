/** The scorecard of a tiny model with random weights on the committed sprites. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { writeTinyJudge } from "../../test/tiny-judge.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { type Atlas, loadAtlas } from "../data/index.ts";
import { decodeImage } from "../image/index.ts";
import { evalCommand } from "./eval.ts";
import { writeJson, writeStdout } from "./output.ts";

vi.mock("../evaluation/fresh-script.ts", () => ({
  FRESH_SPEED: pathToFileURL(join(inject("build"), "dist/evaluation/fresh-speed.js")),
}));
vi.mock("./output.ts", async (original) => ({
  ...(await original<object>()),
  writeJson: vi.fn(),
  writeStdout: vi.fn(),
}));

let root: string;
let model: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-eval-"));
  model = join(root, "model");
  await writeTinyModel(model);
});
afterAll(() => rm(root, { recursive: true }));
afterEach(() => {
  vi.mocked(writeJson).mockReset();
  vi.mocked(writeStdout).mockReset();
});

/** The committed sprites lack the headline style; those of the validation style stand for it. */
async function drawings(): Promise<Atlas> {
  const { sprites } = await loadAtlas("test/fixtures/sprites.bin.br");
  return { sprites: sprites.map((s) => (s.style === "streamline-emojis" ? { ...s, style: "openmoji" as const } : s)) };
}

const TINY = "--count 10 --pairs 2 --pictures 3 --codes-count 10 --gallery 20 --threads 1 --nouns 0 -q --json".split(
  " ",
);

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes
async function run(...args: string[]): Promise<any> {
  await evalCommand(drawings).parseAsync([...args, "--model", model, ...TINY], { from: "user" });
  return vi.mocked(writeJson).mock.calls.at(-1)![0];
}

test("every section is measured, and written to the file too", async () => {
  const file = join(root, "scores.json");
  const scores = await run("--style-pictures", "2", "-o", file);
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual(scores);
  expect(Object.keys(scores)).toEqual([
    "nouns",
    "retrieval test",
    "retrieval held-out-style",
    "retrieval held-out-pairs",
    "retrieval held-out-concepts",
    "naming openmoji",
    "pairs",
    "robustness",
    "codebook",
    "reconstruction",
    "reconstruction held-out-style",
    "speed",
  ]);
  expect(scores.nouns).toBeGreaterThan(500); // the full table without held-out concepts
  expect(scores["naming openmoji"].embeddings.pictures).toBeGreaterThan(5);
  expect(scores.codebook.pictures).toBe(10);
  for (const [name, pictures] of [
    ["reconstruction", 3],
    ["reconstruction held-out-style", 2],
  ] as const) {
    const { fromFirst, pictures: decoded, ...cosines } = scores[name];
    expect(decoded).toBe(pictures);
    expect(Object.keys(fromFirst)).toEqual(["4", "8", "16"]);
    expect(Object.keys(cosines)).toEqual(["fromCodes", "fromCaption", "fromShuffledCodes", "nearestPixels"]);
    for (const cosine of [...Object.values<number>(cosines), ...Object.values<number>(fromFirst)])
      expect(Math.abs(cosine)).toBeLessThan(1.00001);
  }
  const { loadMs, firstMs, firstMemoryMb, peakMemoryMb, picturesPerSecond, latencyMs, scenesPerSecond } = scores.speed;
  expect(loadMs).toBeGreaterThan(firstMs);
  expect(firstMs).toBeGreaterThan(0);
  expect(Math.min(picturesPerSecond, latencyMs, scenesPerSecond)).toBeGreaterThan(0);
  expect(peakMemoryMb).toBeGreaterThanOrEqual(firstMemoryMb);
  expect(firstMemoryMb).toBeGreaterThan(10);
});

test("minimal pairs by kind, and what disturbed pictures keep", async () => {
  const scores = await run("pairs", "robustness");
  expect(Object.keys(scores)).toEqual(["nouns", "pairs", "robustness"]);
  const { sides } = scores.pairs;
  expect(sides.pairs).toBe(2);
  for (const percent of [sides.embeddings, sides.codes]) expect([0, 50, 100]).toContain(percent);
  expect(Math.abs(sides.captionCosine)).toBeLessThan(1.00001);
  const { none, noise, ...others } = scores.robustness;
  expect(none.codesKept).toBe(100);
  expect(noise.codesKept).toBeLessThan(100);
  expect(Object.keys(others)).toEqual(["jpeg30", "shift2", "scale90", "crop90", "gray", "texture"]);
  for (const { codesKept, embeddingsR1, codesR1 } of [noise, ...Object.values<typeof noise>(others)])
    for (const percent of [codesKept, embeddingsR1, codesR1]) expect(percent).toBeLessThanOrEqual(100);
});

test("a judge of pictures says what they show, next to floors; sheets for eyes; more candidates", async () => {
  const { nouns } = (await drawings()).sprites.reduce(
    (all, { noun }) => ({ nouns: [...new Set([...all.nouns, noun])] }),
    {
      nouns: [] as string[],
    },
  );
  const judge = join(root, "picture-judge");
  await writeTinyJudge(judge, nouns);
  const sheet = join(root, "eyes.png");
  const args = ["--judge-run", judge, "--offset", "5", "--sheet", sheet, "--candidates", "12"];
  const scores = await run("judged", "retrieval", ...args);
  const routes = ["originals", "fromCodes", "fromCaptions", "flatGray", "backgroundOnly", "codesOfAnother"];
  expect(Object.keys(scores.judged)).toEqual(["pictures", ...routes]);
  expect(Object.keys(scores["judged, share of the originals"])).toEqual(routes.slice(1));
  expect(scores.judged.originals.falseFinds.mean).toBeGreaterThan(0); // its weights are random
  expect(scores.judged.originals.falseFinds).not.toEqual(scores.judged.flatGray.falseFinds);
  expect(scores["retrieval among 12"].codes.mean).toBeGreaterThan(0);
  const { width, height } = await decodeImage(await readFile(sheet), "sheet");
  expect([width, height]).toEqual([6 + 3 * (32 + 6), 6 + 2 * (32 + 6)]); // a row of originals, a row of decoded ones
  expect((await decodeImage(await readFile(join(root, "eyes-decoded.png")), "sheet")).height).toBe(6 + 32 + 6);
  await expect(run("judged", "--judge-run", root)).rejects.toThrow(
    "judge.json: expected a judge of pictures, found none.",
  );
});

test("another model judges", async () => {
  const judge = join(root, "judge");
  await writeTinyModel(judge, { seed: 2 });
  const own = await run("reconstruction");
  const others = await run("reconstruction", "--judge", judge);
  expect(others.reconstruction.pictures).toBe(3);
  expect(others.reconstruction.fromCodes).not.toBe(own.reconstruction.fromCodes);
});

test("an unknown section is refused before anything is opened, and the old option names the new command", async () => {
  const quiet = evalCommand(drawings);
  for (const command of quiet.commands) command.exitOverride().configureOutput({ outputError: () => {} });
  await expect(quiet.parseAsync(["speeed"], { from: "user" })).rejects.toThrow(
    "'speeed' is invalid for argument 'section'. Allowed choices are retrieval, naming, pairs, robustness, codebook, reconstruction, judged, speed.",
  );
  await expect(run("--language")).rejects.toThrow("Use: seedling eval language");
});

test("tables for people: a heading for each section, a row for what is compared", async () => {
  const args = ["tokenizer", "retrieval", "--model", model, ...TINY.filter((arg) => arg !== "--json")];
  await evalCommand(drawings).parseAsync(args, { from: "user" });
  const text = vi.mocked(writeStdout).mock.calls.at(-1)![0] as string;
  expect(text).toMatch(/^nouns {2}\d+\n\nretrieval test\n {2}kept by the codes, % +[\d.]+\n/);
  expect(text).toMatch(/\n +i>t R@1 +i>t R@5 .*mean\n {2}embeddings +[\d.]+ .*\n {2}codes +[\d.]+ .*\n {2}pixels /);
});
