/** One run folder, one model: which sizes a stage may bring along. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { runStage, STAGES } from "../../src/training/index.ts";
import { type ModelSizes, parseModelSizes, type SizeKey } from "../../src/training/recipe/model-sizes.ts";
import { splitRecipe, stageRecipe } from "../../src/training/recipe/stage-recipe.ts";
import { defineStage } from "../../src/training/stages/definition.ts";
import { toy } from "./toy-stage.ts";

type Json = Record<string, Record<string, unknown>>;

let root: string;
let run: string;
let runs = 0;
let original: Json;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-sizes-"));
  original = JSON.parse(await readFile("test/recipes/model.json", "utf8")) as Json;
});
beforeEach(async () => {
  run = join(root, `${runs++}`);
  await mkdir(run);
});
afterAll(() => rm(root, { recursive: true }));

const sizes = (changes: (json: Json) => object): ModelSizes =>
  parseModelSizes({ ...original, ...changes(original) }, "model.json");
const withWidth = (width: number) => ({ model: { ...original["model"], vision: visionOf(width) } });
const visionOf = (width: number): object => ({ ...(original["model"]!["vision"] as object), width });
const withSteps = (num_inference_steps: number) => ({ pipeline: { num_inference_steps, guidance_scale: 2 } });

/** Trains a stage that depends on these sizes, in a model of those; a variant in a folder of its own. */
async function train(name: string, keys: readonly SizeKey[], model: ModelSizes, folder = name): Promise<void> {
  const recipe = { stage: name, name: folder, width: 2, steps: 2, batch: 4, peakRate: 0.1, warmup: 0, averageDecay: 0 };
  const stages = [defineStage({ ...toy, name, sizes: keys })];
  await runStage(stageRecipe(splitRecipe(recipe, name), name, { stages, sizes: model }), {
    ...{ root: run, sources: {}, threads: 1 },
  });
}
const written = async (): Promise<Json> => JSON.parse(await readFile(join(run, "model.json"), "utf8")) as Json;
const widthOf = (json: Json): unknown => (json["model"]!["vision"] as { width: number }).width;

/** As if a stage of the chain had been trained here. */
async function finished(stage: string): Promise<void> {
  expect(STAGES.some(({ name }) => name === stage)).toBe(true);
  await mkdir(join(run, stage));
  await writeFile(join(run, stage, "weights.safetensors"), "");
}

test("the first stage brings all sizes; a later one replaces those that it depends on and no finished stage does", async () => {
  await train(
    "first",
    ["model.vision"],
    sizes(() => withSteps(5)),
  );
  expect(await written()).toEqual({ ...original, ...withSteps(5) });
  await train(
    "second",
    ["model.vision"],
    sizes(() => ({ ...withWidth(24), ...withSteps(9) })),
  );
  expect(widthOf(await written())).toBe(24);
  // No weight depends on the settings of sampling: the latest ones are taken.
  expect(await written()).toEqual({ ...original, ...withSteps(9), ...withWidth(24) });
});

test("what a finished stage depends on stays, and a stage that needs it otherwise is refused by name", async () => {
  await train(
    "first",
    [],
    sizes(() => withWidth(24)),
  );
  await finished("clip");
  const before = await written();
  const wrong = train(
    "second",
    ["pipeline", "model.vision"],
    sizes(() => withSteps(9)),
  );
  await expect(wrong).rejects.toMatchObject({
    exitCode: 3,
    message: `${join(run, "model.json")}: expected model.vision as this recipe's model has it, got another. Name another run folder.`,
  });
  expect(await written()).toEqual(before);
  // A stage that does not depend on the tower brings its own keys, and the tower stays.
  await train(
    "third",
    ["pipeline"],
    sizes(() => withSteps(9)),
  );
  expect(await written()).toEqual({ ...before, ...withSteps(9) });
});

test("a stage that is trained again replaces its own sizes, not those of the stages that it shares them with", async () => {
  await train(
    "first",
    [],
    sizes(() => ({})),
  );
  await finished("vae");
  await finished("diffusion");
  const vae = sizes(({ vae }) => ({ vae: { ...vae, layers_per_block: 2 } }));
  await train("vae", ["vae", "model.vision.imageSize"], vae);
  expect((await written())["vae"]).toMatchObject({ layers_per_block: 2 });
  await expect(
    train(
      "vae",
      ["unet"],
      sizes(({ unet }) => ({ unet: { ...unet, layers_per_block: 2 } })),
    ),
  ).rejects.toThrow("expected a new run, got a finished one");
  const unet = sizes(({ unet }) => ({ unet: { ...unet, layers_per_block: 2 } }));
  await expect(train("other", ["unet"], unet)).rejects.toThrow("expected unet as this recipe's model has it");
});

test("a variant in a folder of its own may have other sizes, and those of the finished stage stay", async () => {
  await train(
    "first",
    [],
    sizes(() => withWidth(24)),
  );
  await finished("codebook");
  await finished("vae");
  const before = await written();
  const deeper = sizes(() => ({ model: { ...withWidth(24).model, decoderDepth: 7 } }));
  expect(before["model"]?.["decoderDepth"]).not.toBe(7);
  await train("codebook", ["model.decoderDepth", "model.vision"], deeper, "codebook-deep");
  expect(await written()).toEqual(before);
  // What another finished stage depends on is shared all the same.
  const vae = sizes(({ vae }) => ({ ...withWidth(24), vae: { ...vae, layers_per_block: 2 } }));
  await expect(train("codebook", ["vae"], vae, "codebook-wide")).rejects.toThrow("expected vae as this recipe's model");
  // Trained again, in its own folder, the stage brings its own.
  await rm(join(run, "codebook"), { recursive: true });
  await train("codebook", ["model.decoderDepth"], deeper);
  expect((await written())["model"]).toMatchObject({ decoderDepth: 7 });
});
