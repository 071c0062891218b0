/** The scorecard of a tiny language model with random weights, and what a judge with random weights sees in its drawings. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { writeTinyJudge } from "../../test/tiny-judge.ts";
import { writeTinyLanguageModel } from "../../test/tiny-language-model.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { loadAtlas } from "../data/index.ts";
import { SeedLanguageModel } from "../language/index.ts";
import { Judge } from "./judge.ts";
import { languageCard } from "./language-card.ts";

vi.mock("../data/texts.ts", async (original) => ({
  ...(await original<object>()),
  wordNetTexts: async () => ["a text of words that goes on and on and on and on and on and on and on and on and on."],
  isHeldOutText: () => true,
}));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-card-"));
  await writeTinyModel(join(root, "model"));
  await writeTinyLanguageModel(join(root, "model"));
});
afterAll(() => rm(root, { recursive: true }));

test("captions next to those without a language model, and drawings as a judge sees them", async () => {
  const atlas = await loadAtlas("test/fixtures/sprites.bin.br");
  await writeTinyJudge(join(root, "judge"), [...new Set(atlas.sprites.map(({ noun }) => noun))]);
  const sprites = atlas.sprites.map((s) =>
    s.style === "streamline-emojis" ? { ...s, style: "openmoji" as const } : s,
  );
  const [model, pictureJudge] = await Promise.all([
    SeedLanguageModel.fromPretrained(join(root, "model"), { threads: 1 }),
    Judge.open(join(root, "judge"), { threads: 1 }),
  ]);
  const lines: string[] = [];
  // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes
  const scores: any = await languageCard(model, {
    atlas: { ...atlas, sprites },
    ...{ nouns: 0, count: 2, drawings: 2, spans: 1, trainingScenes: 20, pictureJudge },
    onResult: (line) => lines.push(line),
  });
  await Promise.all([model.close(), pictureJudge.close()]);
  const { withoutLanguageModel, once } = scores["captions test"];
  expect(Object.keys(withoutLanguageModel)).toEqual(Object.keys(once));
  for (const split of ["test", "held-out-pairs"]) {
    expect(scores[`drawings ${split}`]).not.toHaveProperty("pictures");
    const routes = ["drawn", "realCodes", "fromCaption", "drawnForAnother"];
    expect(Object.keys(scores[`drawings ${split}, judged`])).toEqual(["originals", ...routes]);
    expect(Object.keys(scores[`drawings ${split}, share of real pictures`])).toEqual(routes);
  }
  expect(scores).not.toHaveProperty("drawings held-out-style, judged");
  expect(lines.filter((line) => line.includes("the judge finds"))).toHaveLength(2);
}, 180_000);
