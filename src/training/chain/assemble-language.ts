/** Puts a tuned language model into the model folder whose codes it was tuned on: one folder that sees, draws and talks. */
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { z } from "zod";
import { UsageError } from "../../base/errors.ts";
import { fileError, writeFileAtomic } from "../../io/files.ts";
import { parseWith } from "../../io/json-file.ts";
import { baseHash, expectBaseHash, readJsonFile, readPeftFolder } from "../../weights/index.ts";
import { STAGES } from "../stages/registry.ts";
import { readRunRecord } from "./run-record.ts";
import { recordStages } from "./training-json.ts";

export interface AssembleLanguageOptions {
  /** Folder of a tuned stage's adapter, for instance `runs/mini/instruct/adapter`. */
  readonly adapter: string;
  /** The frozen model that it was tuned on; default: the one the adapter names. */
  readonly base?: string;
  /** The model folder: gets `lm` and `lm-adapter`. */
  readonly out: string;
}

const parseConfig = parseWith(z.looseObject({ base_model_name_or_path: z.string().nullish() }));

/**
 * Copies base and adapter, and adds the stages that trained them to `training.json`. The copy of the adapter names the copy
 * of the base.
 * @throws SetupError if a part is missing; InputError if the base is another than the adapter's
 */
export async function assembleLanguage({ adapter, base, out }: AssembleLanguageOptions): Promise<void> {
  const where = join(adapter, "adapter_config.json");
  const config = parseConfig(await readJsonFile(where, 10e6), where);
  const from = base ?? config.base_model_name_or_path;
  if (!from) throw new UsageError(`${where}: expected the name of a base, found none. Set base to one.`);
  if (from.endsWith(".gguf"))
    throw new UsageError(
      `${from}: expected a folder as base, got a GGUF file. An adapter like this is used as it is, without assembling.`,
    );
  const { baseHash: wanted } = await readPeftFolder(adapter);
  if (wanted) expectBaseHash(from, wanted, await baseHash(from));
  await copyFiles(from, join(out, "lm"));
  await copyFiles(adapter, join(out, "lm-adapter"));
  const own = { ...config, base_model_name_or_path: "../lm" };
  await writeFileAtomic(join(out, "lm-adapter", "adapter_config.json"), `${JSON.stringify(own)}\n`);
  const stageFolder = dirname(resolve(adapter));
  await recordStages(out, dirname(stageFolder), await stagesOf(stageFolder, from));
}

/** Names of the stages that trained an adapter and its base, if they are in the run folder of the adapter's stage. */
async function stagesOf(stageFolder: string, base: string): Promise<string[]> {
  const record = await readRunRecord(stageFolder);
  if (!record) return []; // an adapter from elsewhere
  const baseIsHere = !relative(dirname(stageFolder), resolve(base)).startsWith("..");
  const needed = new Set([record.stage]);
  for (const { name, needs } of STAGES.toReversed()) if (needed.has(name)) for (const one of needs) needed.add(one);
  const before = STAGES.filter(({ name, makes }) => needed.has(name) || (baseIsHere && makes === "language model"));
  return [...before.map(({ name }) => name).filter((name) => name !== record.stage), basename(stageFolder)];
}

async function copyFiles(from: string, to: string): Promise<void> {
  try {
    await mkdir(to, { recursive: true });
    for (const entry of await readdir(from, { withFileTypes: true }))
      if (entry.isFile()) await copyFile(join(from, entry.name), join(to, entry.name));
  } catch (error) {
    throw fileError(error, to);
  }
}
