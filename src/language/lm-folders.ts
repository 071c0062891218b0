/** Where the parts of a model that sees and draws lie: pictures, the base language model, the adapter. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { modelFiles } from "../image-tokenizer/seed-folder.ts";
import { exists } from "../io/files.ts";
import { type DownloadOptions, localFile, parseHubFile } from "../io/hub/index.ts";
import { parseWith } from "../io/json-file.ts";
import { join } from "../io/paths.ts";
import { baseHash, fileHash, readJsonFile } from "../weights/index.ts";

export interface LmFolders {
  /** The tokenizer of pictures, which also paints. */
  readonly model: string;
  /** Hugging Face folder or .gguf file. */
  readonly lm: string;
  /** PEFT folder with tokenizer.json and seedling.json. */
  readonly adapter: string;
}

/**
 * `<model>/lm` and `<model>/lm-adapter`, or what is named instead. The base may be a file on the Hub, named or recorded by
 * the adapter that is named; it is downloaded once.
 * @throws InputError naming the part that is missing
 */
export async function lmFolders(
  model: string,
  { lm, adapter: named }: { readonly lm?: string; readonly adapter?: string },
  download: Omit<DownloadOptions, "wanted"> = {},
): Promise<LmFolders> {
  const adapter = named ?? join(model, "lm-adapter");
  await expectThere(model, "a model folder", "Check the path.");
  await expectThere(adapter, "the adapter of a language model that sees and draws", "Set adapter to one.");
  const name = lm ?? (named && (await baseOnHub(named))) ?? join(model, "lm");
  const base = await localFile(name, { ...download, kind: "gguf" });
  await expectThere(base, "a language model, a folder or a .gguf file", "Set lm to one.");
  return { model, lm: base, adapter };
}

const parseAdapter = parseWith(z.looseObject({ base_model_name_or_path: z.string().nullish() }));

/** The base that an adapter records, if that is a file on the Hub. */
async function baseOnHub(adapter: string): Promise<string | undefined> {
  const path = join(adapter, "adapter_config.json");
  const { base_model_name_or_path: name } = parseAdapter(await readJsonFile(path, 10e6), path);
  return name && parseHubFile(name, "gguf") ? name : undefined;
}

async function expectThere(path: string, what: string, fix: string): Promise<void> {
  if (await exists(path)) return;
  throw new InputError(`${path}: expected ${what}, found none. ${fix}`);
}

/** Files of a model folder -> hash of each: everything that a painted picture depends on besides codes and settings. */
export async function painterHashes(model: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of await modelFiles(model)) hashes[name] = await fileHash(join(model, name));
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
