/**
 * A chain for a user's own pictures: batches, caches, validation, steps and the size of the codebook follow from the
 * number of pictures and a budget of hours. Pure arithmetic, so that it can be shown before anything begins.
 */
import { InputError } from "../../base/errors.ts";
import { type ModelSizes, parseModelSizes } from "../recipe/model-sizes.ts";
import type { StageRecipe } from "../recipe/stage-recipe.ts";
import type { TrainingRecipe } from "../recipe/training-keys.ts";
import type { Chain } from "./chain.ts";

export interface PlanOptions {
  /** Pictures to learn from, and held-out ones. */
  readonly train: number;
  readonly validation: number;
  /** Default: the chain's. */
  readonly hours?: number;
}

export interface PlannedStage {
  readonly name: string;
  readonly batch: number;
  readonly steps: number;
  /** How often each picture is seen. */
  readonly epochs: number;
  readonly minutes: number;
}

export interface PlannedChain {
  readonly chain: Chain;
  readonly codes: number;
}

/** Fewer pictures teach nothing; more need larger caches and another machine. */
const [FEWEST, MOST] = [50, 500_000];
/** Pictures whose features are kept on disk: 0.3 MB each. */
const MOST_CACHED = 40_000;
/** A few pictures are memorized long before this. */
const MOST_EPOCHS = 600;
const [LEAST_BATCH, LEAST_STEPS] = [8, 20];
/** Codes that each of the codebook's vectors stands for on average, at least: 32 codes a picture. */
const LEAST_PER_CODE = 8;
const [FEWEST_CODES, MOST_CODES] = [256, 8192];

/** @throws InputError for fewer than 50 or more than 500,000 pictures, or a chain that has no plan */
export function planChain(chain: Chain, { train, validation, hours }: PlanOptions): PlannedChain {
  const { plan, where } = chain;
  if (!plan) throw new InputError(`${where}: expected a chain with a plan, got one without.`);
  const pictures = train + validation;
  if (pictures < FEWEST || pictures > MOST)
    throw new InputError(
      `--data: expected ${FEWEST} to ${MOST.toLocaleString("en")} captioned pictures, got ${pictures}.`,
    );
  const codes = codebookSize(train);
  const recipes = chain.recipes.map((recipe): StageRecipe => {
    const { share, perSecond } = plan.stages[recipe.name] ?? { share: 0, perSecond: 1 };
    const budget = (hours ?? plan.hours) * 3600 * share;
    const phases = recipe.phases.map((phase) => {
      const batch = batchFor(phase.batch, train);
      const wanted = Math.round((budget * perSecond) / recipe.phases.length / batch);
      const steps = Math.max(LEAST_STEPS, Math.min(wanted, Math.ceil((MOST_EPOCHS * train) / batch)));
      return planned(phase, { batch, steps, train, validation });
    });
    return { ...recipe, phases, sizes: recipe.sizes && withCodes(recipe.sizes, codes, where) };
  });
  return { chain: { ...chain, recipes }, codes };
}

/** What a planned chain will train, a phase each. @param train pictures to learn from */
export function plannedStages({ plan, recipes }: Chain, train: number): PlannedStage[] {
  return recipes.flatMap(({ name, phases }) =>
    phases.map(({ batch, steps }) => {
      const examples = batch * steps;
      const minutes = examples / (plan?.stages[name]?.perSecond ?? 1) / 60;
      return { name, batch, steps, epochs: examples / train, minutes };
    }),
  );
}

function planned(
  phase: TrainingRecipe,
  { batch, steps, train, validation }: { batch: number; steps: number; train: number; validation: number },
): TrainingRecipe {
  const { data } = phase as TrainingRecipe & {
    readonly data: { readonly cached?: number; readonly validation: number };
  };
  const few = (count: number): number => Math.max(1, Math.min(count, validation || train));
  return {
    ...phase,
    batch,
    steps,
    warmup: Math.min(phase.warmup, Math.ceil(steps / 10)),
    // Evaluations of a short run would take longer than its steps.
    evaluateEvery: Math.min(phase.evaluateEvery, Math.max(LEAST_STEPS, Math.ceil(steps / 4))),
    data: {
      ...data,
      validation: few(data.validation),
      ...(data.cached === undefined ? {} : { cached: Math.min(train, MOST_CACHED) }),
    },
  } as TrainingRecipe;
}

/** A power of two, at most two fifths of the pictures, so that a batch's pictures differ from step to step. */
function batchFor(most: number, train: number): number {
  let batch = LEAST_BATCH;
  while (batch * 2 <= Math.min(most, train * 0.4)) batch *= 2;
  return batch;
}

function codebookSize(train: number): number {
  let codes = FEWEST_CODES;
  while (codes * 2 <= Math.min(MOST_CODES, (train * 32) / LEAST_PER_CODE)) codes *= 2;
  return codes;
}

function withCodes({ json }: ModelSizes, codes: number, where: string): ModelSizes {
  const { model, ...rest } = json as { readonly model: { readonly codebook: object } };
  const own = { ...rest, model: { ...model, codebook: { ...model.codebook, codes } } };
  return parseModelSizes(own, `${where}: model.json`);
}
