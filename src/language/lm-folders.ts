/** Where the parts of a model that sees and draws lie: pictures, the base language model, the adapter. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { baseHash, fileHash } from "../checkpoint/index.ts";
import { SetupError } from "../errors.ts";
import { MODEL_FILES } from "../tokenizer/seed-folder.ts";

export interface LmFolders {
  /** The tokenizer of pictures, which also paints. */
  readonly model: string;
  /** Hugging Face folder or .gguf file. */
  readonly lm: string;
  /** PEFT folder with tokenizer.json and seedling.json. */
  readonly adapter: string;
}

/**
 * `<model>/lm` and `<model>/lm-adapter`, or what is named instead.
 * @throws SetupError naming the part that is missing
 */
export async function lmFolders(
  model: string,
  { lm = join(model, "lm"), adapter = join(model, "lm-adapter") }: { readonly lm?: string; readonly adapter?: string },
): Promise<LmFolders> {
  await expectThere(model, "a model folder", "Check the path.");
  await expectThere(adapter, "the adapter of a language model that sees and draws", "Name one with --adapter.");
  await expectThere(lm, "a language model, a folder or a .gguf file", "Name one with --lm.");
  return { model, lm, adapter };
}

async function expectThere(path: string, what: string, fix: string): Promise<void> {
  if (await stat(path).catch(() => undefined)) return;
  throw new SetupError(`${path}: expected ${what}, found none. ${fix}`);
}

/** Files of a model folder -> hash of each: everything that a painted picture depends on besides codes and settings. */
export async function painterHashes(model: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of MODEL_FILES) hashes[name] = await fileHash(join(model, name));
  return hashes;
}

export interface ModelHashes {
  readonly painter: Readonly<Record<string, string>>;
  readonly lm: string;
  readonly adapter: string;
}

export async function modelHashes({ model, lm, adapter }: LmFolders): Promise<ModelHashes> {
  return {
    painter: await painterHashes(model),
    lm: await baseHash(lm),
    adapter: await fileHash(join(adapter, "adapter_model.safetensors")),
  };
}
