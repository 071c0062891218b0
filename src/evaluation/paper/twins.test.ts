/** The arms of recipes/paper and the rows of the tables are the same; what is wrong in a file of twins is named. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readTwins, triedTwins } from "../../training/index.ts";
import { TABLES } from "./tables.ts";

const recipes = fileURLToPath(new URL("../../../recipes", import.meta.url));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-twins-file-"));
});
afterAll(() => rm(root, { recursive: true }));

test("every row of the tables is an arm of recipes/paper, and every arm is measured as one", async () => {
  const { arms } = await readTwins(join(recipes, "paper"));
  const measured = arms.flatMap(({ losses, measures }) =>
    measures.map(({ table, arm }) => `${table} ${arm} ${losses}`),
  );
  const rows = TABLES.flatMap(({ id, arms }) => arms.map(({ id: arm, losses = "ours" }) => `${id} ${arm} ${losses}`));
  expect([...new Set(measured)].sort()).toEqual([...new Set(rows)].sort());
});

test("arms see as many pictures in as many steps as their twins", async () => {
  const { arms } = await readTwins(join(recipes, "paper"));
  const cost = (name: string): (string | number)[][] =>
    arms
      .find((arm) => arm.name === name)!
      .recipes.map((recipe) => [recipe.name, ...recipe.phases.flatMap(({ steps, batch }) => [steps, batch])]);
  for (const arm of ["bilateral-published", "causal-ours", "bilateral-ours", "codes-8", "without-pairs"])
    expect(cost(arm)).toEqual(cost("causal-published"));
  for (const arm of ["see-continuous", "see-nothing"]) expect(cost(arm)).toEqual(cost("see-codes"));
  expect(cost("decoder-image")).toEqual(cost("decoder"));
});

test("an arm is like another in all that it does not state", async () => {
  const { arms } = await readTwins(join(recipes, "paper"));
  const arm = (name: string) => arms.find((one) => one.name === name)!;
  const sizes = (name: string) => arm(name).sizes.config(10);
  expect(sizes("causal-published").qformer.causal).toBe(true);
  expect(sizes("bilateral-published")).toMatchObject({ qformer: { causal: false } });
  expect(sizes("bilateral-published").codebook.missing).toBeUndefined();
  expect(sizes("bilateral-ours").codebook.missing).toBe(true);
  expect(sizes("codes-64").qformer.queries).toBe(64);
  const [first, second] = [arm("bilateral-published").recipes, arm("causal-published").recipes];
  expect(first.map(({ phases }) => phases)).toEqual(second.map(({ phases }) => phases));
  expect(arm("draw-causal").reads).toMatchObject({ see: "see-codes", codebook: "causal-ours", diffusion: "decoder" });
});

test("a try-out is shorter everywhere", async () => {
  const twins = triedTwins(await readTwins(join(recipes, "paper")), { scale: 0.01, steps: 3 });
  expect(twins.tryout).toBe(true);
  expect(twins.settings).toMatchObject({ scenes: 10, prompts: 50, nouns: 48 });
  const steps = twins.arms.flatMap(({ recipes }) =>
    recipes.flatMap(({ phases }) => phases.map((phase) => phase.steps)),
  );
  expect(new Set(steps)).toEqual(new Set([3]));
});

test("what is wrong is named", async () => {
  const written = {
    about: "A test.",
    source: { run: "none", stages: ["vae", "clip"] },
    model: join(recipes, "mini", "model.json"),
    measure: { nouns: 8, scenes: 10, pictures: 4, prompts: 4, gallery: 10, offset: 0 },
  };
  const qformer = join(recipes, "mini", "causal-qformer");
  const wrong = async (arms: object): Promise<string> => {
    await writeFile(join(root, "twins.json"), JSON.stringify({ ...written, arms }));
    const error = await readTwins(root).catch((reason: unknown) => reason as Error);
    return (error as Error).message.replace(root, "");
  };
  const about = "x";
  expect(await wrong({ a: { about, from: "b" }, b: { about } })).toBe(
    "/twins.json: a: from: expected an arm above it, got b.",
  );
  expect(await wrong({ a: { about, stages: [qformer], changes: { codebook: {} } } })).toBe(
    "/twins.json: a: changes: expected causal-qformer, got codebook.",
  );
  expect(await wrong({ a: { about, stages: [join(recipes, "mini", "codebook"), qformer] } })).toContain(
    "/twins.json: a: stages: expected causal-qformer before codebook",
  );
  expect(await wrong({ a: { about, stages: [qformer], changes: { "causal-qformer": { step: 1 } } } })).toContain(
    'Unrecognized key: "step"',
  );
  expect(await wrong({ a: { about, model: { model: { qformer: { queries: 0 } } } } })).toContain("a: model: ");
});
