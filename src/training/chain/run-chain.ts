/**
 * Runs a chain from nothing to an evaluated model folder. Finished stages are skipped, a stage that was stopped continues,
 * and a stage that was trained from something that has changed since is refused: running the same chain again continues it.
 */
import { basename, join } from "node:path";
import { InputError, UsageError } from "../../base/errors.ts";
import { alone, firstThenOthers } from "../../distributed/communicator.ts";
import { quantizeFolder } from "../../image-tokenizer/quantize.ts";
import { exists } from "../../io/files.ts";
import { hashOf } from "../../io/hash.ts";
import { listCheckpoints } from "../loop/checkpoint.ts";
import type { Work } from "../loop/loop.ts";
import { weightsFile } from "../loop/weights-file.ts";
import type { StageRecipe } from "../recipe/stage-recipe.ts";
import { STAGES } from "../stages/registry.ts";
import { assemble } from "./assemble.ts";
import { assembleLanguage } from "./assemble-language.ts";
import { type Comparison, compareScores } from "./bounds.ts";
import type { Chain, EvaluationPlan } from "./chain.ts";
import { Products } from "./products.ts";
import { readRunRecord } from "./run-record.ts";
import { folderOf, hashOfFile, type RunOptions, runStage, takeSampling } from "./run-stage.ts";
import { type Scores, type TrainingRecord, trainingRecord, writeTrainingRecord } from "./training-json.ts";

export interface ChainOptions extends Omit<RunOptions, "resume" | "adapter" | "model"> {
  /** Name of the stage after which it ends. Nothing is assembled before all stages are finished. */
  readonly until?: string;
  /** Name of the stage with which it begins. Those before are taken as they are, for instance from `disassemble`. */
  readonly from?: string;
  /** Scores of the finished model folder. */
  readonly evaluate?: (folder: string, plan: EvaluationPlan, work: Work) => Promise<Scores>;
  /** Called with each stage that is finished already. */
  readonly onSkip?: (recipe: StageRecipe) => void;
  /** Called when a stage has been trained. */
  readonly onStage?: (recipe: StageRecipe) => Promise<void>;
}

export interface ChainResult {
  /** False if it was stopped; running it again continues it. */
  readonly finished: boolean;
  /** The model folder, or the adapter folder of a chain that only tunes a language model. Absent before all is finished. */
  readonly folder?: string;
  readonly record?: TrainingRecord;
  /** Scores next to what the chain expects; none for a chain that is tried out. */
  readonly comparisons: readonly Comparison[];
}

/** @throws UsageError for a stage that the chain lacks; the errors of `runStage` */
export async function runChain(chain: Chain, options: ChainOptions): Promise<ChainResult> {
  const { root, sources, ranks = alone } = options;
  const last = indexOf(chain, options.until, chain.recipes.length - 1);
  const first = indexOf(chain, options.from, 0);
  const products = new Products(root);
  for (const recipe of chain.recipes.slice(0, first)) await expectWeights(root, recipe);
  let [model, base] = [undefined as string | undefined, sources.base];
  for (const recipe of chain.recipes.slice(first, last + 1)) {
    const uses = recipe.definition.uses ?? [];
    if (uses.includes("image tokenizer"))
      model ??= await firstThenOthers(ranks, () => imageTokenizer(chain, products, options));
    if (uses.includes("language model"))
      base ??= await firstThenOthers(ranks, () => languageModel(chain, products, options));
    await expectTrainedHere(root, recipe);
    const { finished, skipped } = await runStage(recipe, {
      ...options,
      sources: { ...sources, base },
      model,
      resume: true,
    });
    if (skipped) options.onSkip?.(recipe);
    else await options.onStage?.(recipe);
    if (!finished) return { finished: false, comparisons: [] };
  }
  if (last < chain.recipes.length - 1) return { finished: true, comparisons: [] };
  if (ranks.rank > 0) {
    await ranks.barrier();
    return { finished: true, comparisons: [] };
  }
  const folder = await finishedFolder(chain, products, { ...options, sources: { ...sources, base } });
  const result = await evaluated(chain, folder, products, options);
  await ranks.barrier();
  return { finished: true, ...result };
}

function indexOf({ recipes, where }: Chain, name: string | undefined, otherwise: number): number {
  if (name === undefined) return otherwise;
  const index = recipes.findIndex((recipe) => recipe.name === name);
  if (index >= 0) return index;
  throw new UsageError(`${where}: expected one of ${recipes.map((recipe) => recipe.name).join(", ")}, got ${name}.`);
}

/** The part of a model folder that turns pictures into codes and back: what language models are tuned on. */
async function imageTokenizer(chain: Chain, products: Products, options: ChainOptions): Promise<string | undefined> {
  const { assemble: how } = chain;
  if (!how) return undefined;
  const { root, earlier, onProgress } = options;
  const stages = tokenizerStages(chain, options);
  const hashes = await Promise.all(stages.map((name) => hashOfFile(weightsFile(folderOf(name, options)))));
  const sizes = chain.recipes.find((recipe) => recipe.sizes)?.sizes;
  if (sizes) await takeSampling(root, sizes);
  const key = hashOf(JSON.stringify([how, sizes?.decoder.pipeline]), ...hashes);
  return products.folder(MODEL, key, async (out) => {
    onProgress?.("assembling the image tokenizer");
    await assemble({ root, out, earlier, stages, ...how });
  });
}

/** The stages from which a model folder is assembled; later ones replace earlier ones. */
function tokenizerStages({ recipes }: Chain, { earlier = {} }: ChainOptions): string[] {
  const own = recipes.filter(({ definition }) => definition.owns.length > 0);
  const others = STAGES.filter(({ name, owns }) => earlier[name] !== undefined && owns.length > 0);
  return [...others, ...own].map(({ name }) => name);
}

/** The frozen language model, quantized as it will be used. */
async function languageModel(chain: Chain, products: Products, options: ChainOptions): Promise<string | undefined> {
  if (!chain.languageModel) return undefined;
  const { root, signal, onProgress } = options;
  const { from, bits, block, keep } = chain.languageModel;
  const source = join(root, from, "model");
  const weights = join(source, "model.safetensors");
  if (!(await exists(weights)))
    throw new InputError(`${source}: expected the language model, found none. Train ${from}.`);
  const key = hashOf(JSON.stringify(chain.languageModel), await hashOfFile(weights));
  return products.folder("base", key, async (out) => {
    const onBytes = (done: number, total: number): void =>
      onProgress?.("quantizing the language model", done, total, "bytes");
    const pattern = keep === undefined ? undefined : new RegExp(keep);
    await quantizeFolder(source, out, { bits, block, keep: pattern, signal, onProgress: onBytes });
  });
}

const MODEL = "model";

/** The model folder with all its parts, or the adapter folder of a chain without one. */
async function finishedFolder(chain: Chain, products: Products, options: ChainOptions): Promise<string> {
  const { root } = options;
  const tuned = chain.recipes.findLast(({ definition: { uses = [] } }) =>
    (["image tokenizer", "language model"] as const).every((part) => uses.includes(part)),
  );
  const adapter = tuned && join(root, tuned.name, "adapter");
  const model = await imageTokenizer(chain, products, options);
  if (model === undefined) return adapter ?? root;
  if (!tuned || adapter === undefined) return model;
  const key = hashOf(...(await hashesOf(root, [tuned])), String(options.sources.base));
  const name = `${MODEL}/lm-adapter`;
  if (!(await products.has(name, key)) || !(await exists(join(root, name)))) {
    options.onProgress?.("assembling the language model");
    await assembleLanguage({ adapter, out: model });
    await products.done(name, key);
  }
  return model;
}

async function evaluated(
  chain: Chain,
  folder: string,
  products: Products,
  options: ChainOptions,
): Promise<Pick<ChainResult, "folder" | "record" | "comparisons">> {
  const { root, evaluate } = options;
  const names = chain.recipes.map(({ name }) => name);
  const key = hashOf(JSON.stringify(chain.evaluate ?? null), ...(await hashesOf(root, chain.recipes)));
  const known = await products.scores(key);
  const scores = known ?? (chain.evaluate && evaluate ? await evaluate(folder, chain.evaluate, options) : {});
  const record = await trainingRecord(root, names, scores, basename(chain.where));
  await writeTrainingRecord(folder === root ? [root] : [root, folder], record);
  await products.keepScores(key, scores);
  const comparisons = chain.tryout ? [] : compareScores(record.scores, chain.expected, chain.tolerance);
  return { folder, record, comparisons };
}

function hashesOf(root: string, recipes: readonly StageRecipe[]): Promise<string[]> {
  return Promise.all(recipes.map(({ name }) => hashOfFile(weightsFile(join(root, name)))));
}

async function expectWeights(root: string, { name }: StageRecipe): Promise<void> {
  const path = weightsFile(join(root, name));
  if (!(await exists(path)))
    throw new InputError(`${path}: expected weights to begin with, found none. Begin with an earlier stage.`);
}

/** @throws InputError for weights that came from elsewhere: they would be overwritten, and no recipe is known of them */
async function expectTrainedHere(root: string, { name }: StageRecipe): Promise<void> {
  const folder = join(root, name);
  const foreign = (await exists(weightsFile(folder))) && !(await readRunRecord(folder));
  if (foreign && (await listCheckpoints(folder)).length === 0)
    throw new InputError(
      `${folder}: expected a stage that was trained here, got weights from elsewhere. Begin with a later stage to build on them, or remove the folder to train it.`,
    );
}
