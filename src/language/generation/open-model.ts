/** Opens a language model for generation: a Hugging Face folder or a GGUF file, optionally with an adapter. */
import { InputError } from "../../base/errors.ts";
import { Params } from "../../graph/index.ts";
import { exists } from "../../io/files.ts";
import { join } from "../../io/paths.ts";
import { decodingGraph } from "../../models/language-model.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import { LoraParams } from "../../models/lora.ts";
import { Runtime, type RuntimeOptions } from "../../runtime/index.ts";
import { LmTokenizer } from "../../text/index.ts";
import { type Adapter, adaptedConfig, baseHash, expectBase, readPeftFolder } from "../../weights/index.ts";
import { openBaseModel } from "./base-model.ts";
import { cachedModel } from "./cached-model.ts";
import { withAdapter } from "./lm-weights.ts";
import type { TokenModel } from "./token-model.ts";

export interface OpenModelOptions extends RuntimeOptions {
  /** A PEFT folder. Its tokenizer.json, if it has one, replaces the base's. */
  readonly adapter?: string;
  /** Rounds the weights of linear layers to this many bits when they are loaded. Default: as they are stored. */
  readonly bits?: 4 | 8;
}

export interface OpenedModel extends TokenModel {
  readonly config: LmConfig;
  readonly tokenizer: LmTokenizer;
  close(): Promise<void>;
}

/**
 * @param path a folder with config.json, or a .gguf file
 * @throws SetupError if a file is missing; InputError if files are damaged or do not belong together
 */
export async function openLanguageModel(path: string, options: OpenModelOptions = {}): Promise<OpenedModel> {
  const { adapter: adapterPath, bits, ...runtimeOptions } = options;
  const base = await openBaseModel(path);
  const adapter = adapterPath === undefined ? undefined : await readPeftFolder(adapterPath);
  const config = adapter ? await withAdapterSizes(path, base.config, adapter) : base.config;
  const tokenizer = (adapterPath && (await ownTokenizer(adapterPath))) || (await base.tokenizer());
  expectRows(tokenizer, config, path);
  const stored = await base.graphWeights(bits);
  const runtime = new Runtime(runtimeOptions);
  const close = async (): Promise<void> => {
    await runtime.close();
    await stored.release();
  };
  try {
    const weights = adapter ? withAdapter(stored, adapter, config) : stored;
    const params = adapter ? new LoraParams(adapter.lora) : new Params();
    const program = await runtime.compile(
      decodingGraph(params, stored.ownHead ? { ...config, tied: false } : config),
      weights,
    );
    await stored.release();
    return { ...cachedModel(program, config), config, tokenizer, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function ownTokenizer(folder: string): Promise<LmTokenizer | undefined> {
  return (await exists(join(folder, "tokenizer.json"))) ? LmTokenizer.open(folder) : undefined;
}

/** The sizes of the base with the adapter. @throws as `expectBase` */
async function withAdapterSizes(path: string, config: LmConfig, adapter: Adapter): Promise<LmConfig> {
  const hash = adapter.baseHash === undefined ? undefined : await baseHash(path);
  expectBase(adapter, { path, hash, config });
  return adaptedConfig(config, adapter);
}

/** Every id of the tokenizer must have a row. */
function expectRows(tokenizer: LmTokenizer, { vocabulary, addedTokens = 0 }: LmConfig, path: string): void {
  const rows = vocabulary + addedTokens;
  if (tokenizer.size > rows)
    throw new InputError(
      `${path}: expected a tokenizer of at most ${rows} tokens, got ${tokenizer.size}. Use the tokenizer and adapter of this model.`,
    );
}
