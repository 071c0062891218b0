/**
 * Twins: models that differ in one thing and are trained at one budget, to repeat the papers' tables. A folder with
 * `twins.json` names the arms; an arm states only how it differs from an earlier one (`like`), and which arms' finished
 * stages it reads. All arms share the stages of the source run (the frozen tower and what belongs to it).
 */
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { combinePatches, type Json, mergePatch } from "../../base/merge-patch.ts";
import { parseWith, readJsonFile } from "../../io/json-file.ts";
import { recipesInOrder } from "../chain/chain.ts";
import { findRecipe, readWrittenRecipe } from "../chain/read-recipe.ts";
import { type ModelSizes, parseModelSizes } from "../recipe/model-sizes.ts";
import {
  extendRecipe,
  type StageRecipe,
  scaledRecipe,
  shortenedRecipe,
  splitRecipe,
  stageRecipe,
} from "../recipe/stage-recipe.ts";
import type { StageDefinition } from "../stages/definition.ts";
import { STAGES } from "../stages/registry.ts";

/** The file of a folder of twins. */
export const TWINS = "twins.json";

const name = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "expected small letters, digits and dashes");
const json = z.record(z.string(), z.unknown());
const count = z.int().min(1);

const writtenArm = z.strictObject({
  about: z.string().describe("one line for people"),
  like: name.optional().describe("an arm above; this one states only the differences"),
  losses: z.enum(["published", "ours"]).optional().describe("which losses it is trained with; default ours"),
  seeds: count.max(20).optional().describe("runs, each from another seed; default 1"),
  from: name.optional().describe("an arm above whose finished stages it reads, of the same seed where there is one"),
  reads: z.record(name, name).optional().describe("stage -> arm above that trained it, besides those of `from`"),
  model: json.optional().describe("what differs in model.json; `null` removes a key"),
  stages: z.array(z.string()).optional().describe("recipes next to the file that it trains, in order"),
  changes: z.record(z.string(), json).optional().describe("stage -> what differs from its recipe"),
  head: z
    .enum(["image", "text", "draft", "none"])
    .optional()
    .describe("what its codes become for the image decoder; default none, without a decoder"),
  measure: z
    .array(z.string().regex(/^[a-z]+ [a-z0-9-]+$/, 'expected "<table> <arm>"'))
    .default([])
    .describe('what it is measured as: "<table> <arm>" of the paper\'s tables'),
});

type WrittenArm = z.output<typeof writtenArm>;

const settings = z.strictObject({
  nouns: z.int().min(0).describe("built-in scenes: the first n everyday nouns, 0 for the full table"),
  scenes: count.describe("scenes of each set of retrieval, which also has a set of five times as many"),
  pictures: count.describe("scenes of each set that are decoded or spoken of"),
  prompts: count.describe("prompts that are drawn without any rule"),
  gallery: count.describe("training scenes that the floors search"),
  offset: z.int().min(0).describe("first seed of the test scenes"),
});

const parse = parseWith(
  z.strictObject({
    about: z.string(),
    source: z.strictObject({
      run: z.string().describe("run folder whose finished stages all arms share; `--source` names another"),
      stages: z.array(name).min(1),
    }),
    model: z.string().describe("the file with the sizes that arms change"),
    sizes: json.default({}).describe("what differs from it in all arms; `null` removes a key"),
    measure: settings,
    arms: z.record(name, writtenArm),
  }),
);

export type TwinSettings = z.output<typeof settings>;

export interface TwinArm {
  readonly name: string;
  readonly about: string;
  readonly losses: "published" | "ours";
  readonly seeds: number;
  /** stage -> arm that trained it; stages of the source run are not among them. */
  readonly reads: Readonly<Record<string, string>>;
  readonly sizes: ModelSizes;
  /** For the first seed. */
  readonly recipes: readonly StageRecipe[];
  readonly head: "image" | "text" | "draft" | "none";
  readonly measures: readonly { readonly table: string; readonly arm: string }[];
}

export interface Twins {
  readonly about: string;
  readonly source: { readonly run: string; readonly stages: readonly string[] };
  readonly settings: TwinSettings;
  readonly arms: readonly TwinArm[];
  /** A trial run: shortened, so that the results mean nothing. */
  readonly tryout: boolean;
  /** The folder, for messages. */
  readonly where: string;
}

/** @throws InputError naming each unknown or wrong key, an arm that is not above, a recipe or stage that is missing */
export async function readTwins(folder: string, stages: readonly StageDefinition[] = STAGES): Promise<Twins> {
  const path = join(await findRecipe(folder), TWINS);
  const { about, source, model, sizes: common, measure, arms: written } = parse(await readJsonFile(path), path);
  const base = mergePatch(await readJsonFile(resolve(dirname(path), model), 1e6), common);
  const whole = new Map<string, WrittenArm>();
  const arms = new Map<string, TwinArm>();
  for (const [arm, own] of Object.entries(written)) {
    const where = `${path}: ${arm}`;
    const above = (key: string, other: string): void => {
      if (!arms.has(other)) throw new InputError(`${where}: ${key}: expected an arm above it, got ${other}.`);
    };
    if (own.like !== undefined) above("like", own.like);
    const all = own.like === undefined ? own : likeArm(whole.get(own.like)!, own);
    whole.set(arm, all);
    if (all.from !== undefined) above("from", all.from);
    for (const [stage, other] of Object.entries(all.reads ?? {})) above(`reads.${stage}`, other);
    const sizes = parseModelSizes(mergePatch(base, all.model ?? {}), `${where}: model`);
    const recipes = await recipesOf(all, { path, where, sizes, stages });
    const trained = recipes.map((recipe) => recipe.name);
    const reads = without({ ...(all.from && stagesOf(arms.get(all.from)!)), ...all.reads }, trained);
    for (const stage of Object.keys(all.changes ?? {}))
      if (!trained.includes(stage))
        throw new InputError(`${where}: changes: expected ${trained.join(" or ") || "none"}, got ${stage}.`);
    arms.set(arm, {
      ...{ name: arm, about: all.about, losses: all.losses ?? "ours", seeds: all.seeds ?? 1, reads, sizes },
      recipes: recipesInOrder(recipes, where, [...source.stages, ...Object.keys(reads)]),
      head: all.head ?? "none",
      measures: own.measure.map((text) => {
        const [table = "", measured = ""] = text.split(" ");
        return { table, arm: measured };
      }),
    });
  }
  return { about, source, settings: measure, arms: [...arms.values()], tryout: false, where: folder };
}

/** The arm, with what it does not state from the arm named in `like`, except for what that one is measured as. */
function likeArm(below: WrittenArm, own: WrittenArm): WrittenArm {
  const { model, changes, reads } = own;
  return {
    ...below,
    ...own,
    ...(model && { model: combinePatches(below.model ?? {}, model) }),
    ...(changes && { changes: combinePatches(below.changes ?? {}, changes) as Record<string, Json> }),
    ...(reads && { reads: { ...below.reads, ...reads } }),
  };
}

async function recipesOf(
  { stages: files = [], changes = {}, about }: WrittenArm,
  at: {
    readonly path: string;
    readonly where: string;
    readonly sizes: ModelSizes;
    readonly stages: readonly StageDefinition[];
  },
): Promise<StageRecipe[]> {
  const { where, sizes, stages } = at;
  const recipes: StageRecipe[] = [];
  for (const file of files) {
    const { written } = await readWrittenRecipe(resolve(dirname(at.path), `${file}.json`));
    const stage = written.own.name ?? written.own.stage ?? file;
    const changed = extendRecipe(written, splitRecipe(changes[stage] ?? {}, `${where}: changes: ${stage}`));
    recipes.push({ ...stageRecipe(changed, `${where}: ${stage}`, { stages, sizes }), about });
  }
  return recipes;
}

/** What an arm has trained and what it reads. */
function stagesOf({ name, recipes, reads }: TwinArm): Record<string, string> {
  return { ...reads, ...Object.fromEntries(recipes.map((recipe) => [recipe.name, name])) };
}

function without(reads: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(reads).filter(([stage]) => !names.includes(stage)));
}

/** Scores of fewer scenes mean nothing. */
const LEAST = 10;

/** The twins with a share of their steps, caches and scenes, or a number of steps in every phase, to try them out. */
export function triedTwins(
  twins: Twins,
  { scale = 1, steps }: { readonly scale?: number; readonly steps?: number },
): Twins {
  if (scale === 1 && steps === undefined) return twins;
  const few = (n: number): number => Math.max(Math.min(n, LEAST), Math.round(n * scale));
  const { nouns, offset, scenes, pictures, prompts, gallery } = twins.settings;
  const arms = twins.arms.map((arm) => ({
    ...arm,
    recipes: arm.recipes.map((recipe) => {
      const scaled = scaledRecipe(recipe, scale);
      return steps === undefined ? scaled : shortenedRecipe(scaled, steps);
    }),
  }));
  const less = { scenes: few(scenes), pictures: few(pictures), prompts: few(prompts), gallery: few(gallery) };
  return { ...twins, arms, settings: { nouns, offset, ...less }, tryout: true };
}
