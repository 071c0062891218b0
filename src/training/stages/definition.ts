/** What a stage of training is. A stage is one file that exports a definition; registry.ts lists them. */
import type { z } from "zod";
import type { Runtime } from "../../runtime/index.ts";
import type { Sources } from "../data/sources.ts";
import type { LoopResult, Stage, Work } from "../loop/loop.ts";
import type { ModelSizes, SizeKey } from "../recipe/model-sizes.ts";
import type { TrainingKeys } from "../recipe/training-keys.ts";

export type Weights = ReadonlyMap<string, Float32Array>;

/** Keys of a stage's recipe: those of every training, and its own. */
export type RecipeSchema = z.ZodObject<TrainingKeys & z.ZodRawShape>;

export interface StageDefinition<S extends RecipeSchema = RecipeSchema> {
  /** Name in recipes, and of its folder in a run. */
  readonly name: string;
  /** A one-line description. */
  readonly about: string;
  /** The section of the paper that it implements, or the part of the published system that it stands for. */
  readonly paper: string;
  /** Its recipe. Each key has a description, and `scales` in its metadata if `--scale` multiplies it. */
  readonly recipe: S;
  /** Stages whose weights it reads. */
  readonly needs: readonly string[];
  /** The stage whose weights it begins with, unless its recipe says otherwise. */
  readonly continues?: string;
  /** What it reads that a chain makes of finished stages: a model folder with the image tokenizer, a language model. */
  readonly uses?: readonly ("image tokenizer" | "language model")[];
  /** What it writes into its folder that other stages use. */
  readonly makes?: "language model";
  /** Name prefixes of the parameters of a model folder that it trains. */
  readonly owns: readonly string[];
  /** Stages whose parts of a model folder it trains in their place: an alternative, in chains of its own. */
  readonly replaces?: readonly string[];
  /** Keys of model.json that its numbers depend on. Default none. */
  readonly sizes?: readonly SizeKey[];
  build(context: StageContext<z.output<S>>): Promise<BuiltStage>;
}

/** One phase of a stage, ready to train. */
export interface BuiltStage {
  readonly stage: Stage;
  /** Numbers that are known before training, reported once. */
  readonly baseline?: Readonly<Record<string, number>>;
  /** Writes what others open (an adapter, a language model) into the stage's folder once the phase is complete. */
  finish?(result: LoopResult): Promise<void>;
}

/** What a stage is built from. Everything read through it belongs to the identity of the run. */
export interface StageContext<R> extends Work {
  /** The recipe of this phase. */
  readonly recipe: R;
  /** The recipe's file, for messages. */
  readonly where: string;
  readonly runtime: Runtime;
  /** Folder of the whole run. Each stage has a folder in it. */
  readonly root: string;
  /** Where features that depend on no stage of this run are kept: the run folder, or one that several runs share. */
  readonly shared: string;
  /** Folder of this stage. */
  readonly stageFolder: string;
  /** Folder of this phase: log, checkpoints, sample sheets. The stage's folder if it has one phase. */
  readonly folder: string;
  /** Examples that this phase sees. */
  readonly examples: number;
  /** Shares in which a batch is computed. */
  readonly shares: number;
  readonly sources: Sources;
  /** What this phase begins with: the weights of the phase before, or of the stage that it continues, and that stage's folder. */
  readonly start?: { readonly folder: string; readonly weights: Weights };
  /** An adapter folder that this phase begins with, in place of `start`. */
  readonly adapter?: string;
  /** A model folder that the chain made, whose codes are learned; absent where the source decides. */
  readonly model?: string;
  /** Sizes of the model. @throws SetupError if there is no model file */
  sizes(): ModelSizes;
  /** Frozen weights of an earlier stage. @throws SetupError if it has not finished */
  weights(stage: string): Promise<Weights>;
  /** Names something else that the numbers depend on, and its hash. */
  dependsOn(what: string, hash: string): void;
  /** Closes `resource` when the phase ends. */
  closing<T extends { close(): Promise<void> }>(resource: T): T;
}

/** A definition whose `build` is typed by its recipe, as the registry holds it. */
export function defineStage<S extends RecipeSchema>(definition: StageDefinition<S>): StageDefinition {
  return definition as unknown as StageDefinition;
}
