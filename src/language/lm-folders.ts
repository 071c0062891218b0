/** Where the parts of a model that sees and draws are: the image tokenizer, the base language model, the adapter. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { modelFiles } from "../image-tokenizer/seed-folder.ts";
import { exists } from "../io/files.ts";
import { listFolder } from "../io/folder.ts";
import { type DownloadOptions, localFile, parseHubFile } from "../io/hub/index.ts";
import { parseWith } from "../io/json-file.ts";
import { join } from "../io/paths.ts";
import { baseHash, fileHash, readJsonFile } from "../weights/index.ts";

export interface LmFolders {
  /** The image tokenizer, which also decodes. */
  readonly model: string;
  /** Hugging Face folder or .gguf file. */
  readonly lm: string;
  /** PEFT folder with tokenizer.json and seedling.json. */
  readonly adapter: string;
}

/**
 * `<model>/lm` and `<model>/lm-adapter`, or what is named instead. A named adapter determines its base, if it records a
 * file on the Hub, which is downloaded once, or a path that exists here.
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
  const name = lm ?? (named && (await recordedBase(named))) ?? join(model, "lm");
  const base = await localFile(name, { ...download, kind: "gguf" });
  await expectThere(base, "a language model, a folder or a .gguf file", "Set lm to one.");
  return { model, lm: base, adapter };
}

const MAX_CONFIG_BYTES = 10e6;

const parseAdapter = parseWith(z.looseObject({ base_model_name_or_path: z.string().nullish() }));

/** The base that an adapter records: a file on the Hub, or a path seen from here or from the adapter. */
async function recordedBase(adapter: string): Promise<string | undefined> {
  const path = join(adapter, "adapter_config.json");
  const { base_model_name_or_path: name } = parseAdapter(await readJsonFile(path, MAX_CONFIG_BYTES), path);
  if (!name || parseHubFile(name, "gguf")) return name ?? undefined;
  for (const candidate of [name, join(adapter, name)])
    if (candidate.endsWith(".gguf") ? await exists(candidate) : await exists(join(candidate, "config.json")))
      return candidate;
  return undefined;
}

async function expectThere(path: string, what: string, fix: string): Promise<void> {
  if (!(await exists(path))) throw new InputError(`${path}: expected ${what}, found none. ${fix}`);
  const names = await listFolder(path).catch(() => undefined); // files, and folders of a web server, list nothing
  if (names?.length === 0) throw new InputError(`${path}: expected ${what}, got an empty folder. ${fix}`);
}

/** Hashes of the files that a decoded picture depends on, besides codes and settings. */
export async function decoderHashes(model: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of await modelFiles(model)) hashes[name] = await fileHash(join(model, name));
  return hashes;
}

export interface ModelHashes {
  readonly decoder: Readonly<Record<string, string>>;
  readonly lm: string;
  readonly adapter: string;
}

export async function modelHashes({ model, lm, adapter }: LmFolders): Promise<ModelHashes> {
  return {
    decoder: await decoderHashes(model),
    lm: await baseHash(lm),
    adapter: await fileHash(join(adapter, "adapter_model.safetensors")),
  };
}
