/** `adapter_config.json` of PEFT. Settings that change what an adapter computes are honored or refused. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { expectKnownKeys } from "../base/known-keys.ts";
import { parseWith } from "../base/parse-with.ts";
import type { LoraConfig } from "../models/lora.ts";

const off = z.literal(false).nullish();
const none = z.union([z.null(), z.record(z.string(), z.never())]).optional();
const names = z.array(z.string());
const indices = z.array(z.int());

/** What is computed; other variants of LoRA must be off. */
const schema = z.object({
  peft_type: z.literal("LORA"),
  r: z.int().min(1),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).max(0.99).default(0),
  target_modules: names,
  exclude_modules: names.nullish(),
  layers_to_transform: z.union([z.int(), indices]).nullish(),
  layers_pattern: z.union([z.enum(["", "layers"]), z.array(z.literal("layers"))]).nullish(),
  modules_to_save: names.nullish(),
  bias: z.literal("none").default("none"),
  lora_bias: off,
  fan_in_fan_out: off,
  use_dora: off,
  use_rslora: off,
  use_qalora: off,
  rank_pattern: none,
  alpha_pattern: none,
  megatron_config: none,
  // Other values change the base's weights before training.
  init_lora_weights: z.union([z.boolean(), z.enum(["gaussian", "eva", "orthogonal"])]).nullish(),
  base_model_name_or_path: z.string().nullish(),
  trainable_token_indices: z.union([indices, z.record(z.string(), indices)]).nullish(),
});

/** They say where an adapter is from, or how it was trained, or apply only with a setting that is refused. */
const NOTES = new Set([
  ...["task_type", "inference_mode", "revision", "auto_mapping", "peft_version", "runtime_config"],
  ...["eva_config", "loftq_config", "corda_config", "lora_ga_config", "megatron_core", "qalora_group_size"],
]);

const parse = parseWith(schema);

export interface PeftConfig {
  readonly lora: LoraConfig;
  /** Name or folder of the base model. */
  readonly base: string | undefined;
  /** Ids of the added tokens, which are consecutive. */
  readonly tokens: { readonly first: number; readonly count: number } | undefined;
  /** Modules that are stored whole, by the last parts of their paths. */
  readonly wholeModules: readonly string[];
}

/** @throws InputError naming every key that is missing, unknown, or asks for another kind of adapter. */
export function readPeftConfig(json: unknown, where: string): PeftConfig {
  const config = parse(json, where);
  const known = (key: string): boolean => key in schema.shape || NOTES.has(key);
  expectKnownKeys(Object.entries(json as object), where, known);
  const { layers_to_transform: blocks, exclude_modules: excluded, trainable_token_indices: tokens } = config;
  const lists = Array.isArray(tokens) ? [tokens] : Object.values(tokens ?? {});
  const chosen = typeof blocks === "number" ? [blocks] : blocks;
  return {
    lora: {
      rank: config.r,
      alpha: config.lora_alpha,
      dropout: config.lora_dropout,
      targets: config.target_modules,
      ...(chosen && chosen.length > 0 && { blocks: chosen }),
      ...(excluded && excluded.length > 0 && { excluded }),
    },
    base: config.base_model_name_or_path ?? undefined,
    tokens: addedTokens(lists, where),
    wholeModules: config.modules_to_save ?? [],
  };
}

/** They must be the same consecutive ids for every module. */
function addedTokens(lists: readonly (readonly number[])[], where: string): PeftConfig["tokens"] {
  const [ids = []] = lists;
  const [first] = ids;
  for (const list of lists) {
    if (list.length !== ids.length)
      throw new InputError(`${where}: expected ${ids.length} token ids for each module, got ${list.length}.`);
    for (const [i, id] of list.entries())
      if (first === undefined || id !== first + i)
        throw new InputError(`${where}: expected consecutive token ids from ${first}, got ${id} at ${i}.`);
  }
  return first === undefined ? undefined : { first, count: ids.length };
}

/** The content of adapter_config.json, as PEFT writes it. */
export function writePeftConfig(
  { lora, base, wholeModules }: Pick<PeftConfig, "lora" | "base" | "wholeModules">,
  tokenIndices: Readonly<Record<string, readonly number[]>> | null,
): Record<string, unknown> {
  return {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: base ?? null,
    inference_mode: true,
    r: lora.rank,
    lora_alpha: lora.alpha,
    lora_dropout: lora.dropout,
    target_modules: lora.targets,
    ...(lora.excluded && { exclude_modules: lora.excluded }),
    ...(lora.blocks && { layers_to_transform: lora.blocks }),
    bias: "none",
    fan_in_fan_out: false,
    use_dora: false,
    use_rslora: false,
    modules_to_save: wholeModules.length > 0 ? wholeModules : null,
    trainable_token_indices: tokenIndices,
  };
}
