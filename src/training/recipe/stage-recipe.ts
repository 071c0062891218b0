/**
 * A recipe: how one stage is trained, in one or more phases. A recipe file may extend another one, and each of its phases
 * states only what differs; what comes out is one complete recipe a phase, checked against the stage's schema.
 */
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import type { RecipeSchema, StageDefinition } from "../stages/definition.ts";
import type { ModelSizes } from "./model-sizes.ts";
import type { TrainingRecipe } from "./training-keys.ts";

export interface StageRecipe {
  readonly definition: StageDefinition;
  /** Folder of the run of this stage. */
  readonly name: string;
  readonly about: string;
  readonly paper: string;
  /** Name of a finished run whose weights the first phase begins with. */
  readonly continues: string | undefined;
  readonly phases: readonly TrainingRecipe[];
  /** Sizes of the model; absent where no file gives them. */
  readonly sizes: ModelSizes | undefined;
  /** Its file, for messages. */
  readonly where: string;
}

type Json = Readonly<Record<string, unknown>>;

/** A recipe as it is written: what all phases have in common, and what each overrides. */
export interface WrittenRecipe {
  readonly own: z.output<typeof ownKeys>;
  readonly common: Json;
  readonly phases: readonly Json[];
}

const folder = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "expected small letters, digits and dashes");

/** Keys of the stage as a whole, which no phase overrides. */
const ownKeys = z.object({
  stage: z.string().optional(),
  name: folder.optional(),
  about: z.string().optional(),
  paper: z.string().optional(),
  extends: z.string().optional(),
  model: z.string().optional(),
  continues: folder.nullable().optional(),
  phases: z.array(z.record(z.string(), z.unknown())).min(1).optional(),
});

/** Keys of a recipe file in addition to those of the stage's schema, for docs. */
export const OWN_KEYS: Readonly<Record<string, string>> = {
  stage: "the stage; `seedling recipes` lists them",
  about: "a one-line description; default the stage's",
  paper: "its counterpart in the paper; default the stage's",
  name: "folder of the run; default the stage",
  extends: "another recipe, of which this one states only the differences; they count in all its phases",
  model: "file with the sizes of the model; default `model.json` next to the recipe",
  continues: "a finished run of the run folder whose weights this one begins with; `null` to begin from scratch",
  phases: "list of what differs from phase to phase; each begins with the averaged weights of the one before",
};

/** Splits a recipe as written. @throws InputError naming each wrong key */
export function splitRecipe(json: unknown, where: string): WrittenRecipe {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new InputError(`${where}: expected a recipe, a JSON object, got something else.`);
  const own = checked(ownKeys, json, where);
  const common = Object.fromEntries(Object.entries(json).filter(([name]) => !(name in ownKeys.shape)));
  return { own, common, phases: own.phases ?? [{}] };
}

/** `child` with everything of `parent` that it does not state. Its keys count in all phases of the parent. */
export function extendRecipe(parent: WrittenRecipe, child: WrittenRecipe): WrittenRecipe {
  return {
    own: { ...parent.own, ...child.own },
    common: merged(parent.common, child.common),
    phases: child.own.phases ? child.phases : parent.phases.map((phase) => merged(phase, child.common)),
  };
}

/** @throws InputError naming the stage that is unknown, or each unknown or wrong key */
export function stageRecipe(
  { own, common, phases }: WrittenRecipe,
  where: string,
  { stages, sizes }: { readonly stages: readonly StageDefinition[]; readonly sizes?: ModelSizes | undefined },
): StageRecipe {
  const definition = stages.find(({ name }) => name === own.stage);
  if (!definition)
    throw new InputError(
      `${where}: stage: expected one of ${stages.map(({ name }) => name).join(", ")}, got ${own.stage ?? "none"}.`,
    );
  const name = own.name ?? definition.name;
  const continues = own.continues === undefined ? definition.continues : (own.continues ?? undefined);
  if (continues === name)
    throw new InputError(`${where}: continues: expected another run, got this one. Give this one a name of its own.`);
  return {
    definition,
    name,
    about: own.about ?? definition.about,
    paper: own.paper ?? definition.paper,
    continues,
    phases: phases.map((phase, i) => {
      const at = phases.length > 1 ? `${where}: phase ${i + 1}` : where;
      const misplaced = Object.keys(phase).find((one) => one !== "about" && one in ownKeys.shape);
      if (misplaced) throw new InputError(`${at}: ${misplaced}: expected outside of the phases, got it in one.`);
      return checked(definition.recipe, merged(common, phase), at) as TrainingRecipe;
    }),
    sizes,
    where,
  };
}

function checked<S extends z.ZodType>(schema: S, json: unknown, where: string): z.output<S> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "top level"}: ${issue.message}`);
  throw new InputError(`${where}: ${problems.slice(0, 5).join("; ")}. See docs/recipes.md for the keys.`);
}

/** Objects are merged key by key; anything else is replaced, and so is `expected`. */
function merged(below: Json, above: Json): Json {
  const both = Object.entries(above).map(([name, value]) => {
    const under = below[name];
    return [name, isObject(under) && isObject(value) && name !== "expected" ? merged(under, value) : value] as const;
  });
  return { ...below, ...Object.fromEntries(both) };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** No count becomes smaller than this, unless it was smaller before. */
const LEAST = 8;

/** The recipe with a share of its steps, cached pictures and scenes, to try it out. */
export function scaledRecipe(recipe: StageRecipe, share: number): StageRecipe {
  if (share === 1) return recipe;
  return { ...recipe, phases: recipe.phases.map((phase) => scaled(recipe.definition.recipe, phase, share)) };
}

function scaled<T extends object>(schema: z.ZodObject, recipe: T, share: number): T {
  const entries = Object.entries(recipe).map(([name, value]) => {
    const own = schema.shape[name] as z.ZodType | undefined;
    if (isObject(value)) {
      const inner = own && objectIn(own);
      return [name, inner ? scaled(inner, value, share) : value];
    }
    const scales = own?.meta()?.scales;
    if (typeof value !== "number" || scales === undefined) return [name, value];
    if (scales === "share") return [name, value * share];
    return [name, Math.max(Math.min(value, LEAST), Math.round(value * share))];
  });
  return Object.fromEntries(entries) as T;
}

/** The object schema within defaults and optionals. */
export function objectIn(schema: z.ZodType): RecipeSchema | z.ZodObject | undefined {
  if (schema instanceof z.ZodObject) return schema;
  const inner = (schema as { def?: { innerType?: z.ZodType } }).def?.innerType;
  return inner && objectIn(inner);
}

/** The recipe with this many steps in every phase, to try it out. */
export function shortenedRecipe(recipe: StageRecipe, steps: number): StageRecipe {
  return { ...recipe, phases: recipe.phases.map((phase) => ({ ...phase, steps })) };
}
