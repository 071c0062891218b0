/**
 * Official checkpoints -> a folder of ours. First a plan from the names and shapes of all files, which is where every
 * problem shows; then the tensors, one at a time.
 */
import { CheckpointError } from "../../base/errors.ts";
import { entry } from "../../base/item.ts";
import { buildFrom, Params, shapesOf } from "../../graph/index.ts";
import { CLIP_STATS } from "../../image/index.ts";
import { copyFile, writeFileAtomic } from "../../io/files.ts";
import { expectFree, writeFolder } from "../../io/folder.ts";
import { join } from "../../io/paths.ts";
import type { ModelConfig } from "../../models/config.ts";
import { TEMPERATURES } from "../../models/contrastive.ts";
import { copyTensor, isFloat } from "../../weights/copy-tensor.ts";
import { type CopyOptions, type FileReport, type ImportReport, STORED_AS } from "../../weights/import-report.ts";
import { matchTensors, openCheckpoint, type TensorFile, writeSafetensors } from "../../weights/index.ts";
import { isOfficiallyUnexpected, notNeededBecause, ourNames } from "../../weights/official.ts";
import { unwrapNames } from "../../weights/state-dict.ts";
import { seedGraphs } from "../graphs.ts";
import { readHints } from "./hints.ts";
import { type Hints, inferOfficialConfig } from "./infer.ts";
import { bertTokenizer } from "./tokenizer.ts";

export type { FileReport, ImportReport } from "../../weights/import-report.ts";

export interface ImportOptions extends CopyOptions {
  /** What shapes do not tell. They override a config.json next to the files. */
  readonly hints?: Hints;
  /** The tokenizer.json of bert-base-uncased, for the text side. Default: that next to one of the files, if there is one. */
  readonly tokenizer?: string | undefined;
}

export interface OfficialReport extends ImportReport {
  /** Do the files hold the text side? */
  readonly readsText: boolean;
  /** The tokenizer.json that was copied; without it a text side cannot be used. */
  readonly tokenizer?: string | undefined;
}

/** A checkpoint to import: what it is called, and its tensors. */
export type Source = Pick<TensorFile, "path" | "tensors" | "section" | "elsewhere">;

export interface ImportPlan<S extends Source = Source> {
  readonly config: ModelConfig;
  /** Our name -> where the tensor is. */
  readonly tensors: ReadonlyMap<string, { readonly file: S; readonly name: string }>;
  readonly report: Omit<ImportReport, "notFinite">;
}

/**
 * Imports files (or folders with one) into a new folder. Where two name the same tensor the later one wins, as when the
 * official code loads one after the other.
 * @throws CheckpointError listing every missing and misshaped tensor; nothing is written then.
 */
export async function importOfficial(
  paths: readonly string[],
  folder: string,
  options: ImportOptions = {},
): Promise<OfficialReport> {
  await expectFree(folder);
  const files: TensorFile[] = [];
  try {
    let hints: Hints = {};
    for (const path of paths) {
      files.push(await openCheckpoint(path));
      hints = { ...hints, ...defined(await readHints(path)) };
    }
    const plan = planImport(files, { ...hints, ...defined(options.hints ?? {}) });
    expectComplete(plan);
    const { vocabulary } = plan.config.qformer;
    const tokenizer = vocabulary ? await bertTokenizer(paths, vocabulary, options.tokenizer) : undefined;
    const report = await writeImport(plan, folder, { ...options, tokenizer });
    return { ...report, readsText: vocabulary !== undefined, tokenizer };
  } finally {
    for (const file of files) await file.close();
  }
}

/** What an import would do. Reads nothing but names and shapes. */
export function planImport<S extends Source>(files: readonly S[], hints: Hints = {}): ImportPlan<S> {
  const where = files.map(({ path }) => path).join(" + ");
  const found = new Map<string, { file: S; name: string }>();
  for (const file of files) for (const [name, ours] of ourNames(file.tensors.keys())) found.set(ours, { file, name });
  const info = ({ file, name }: { file: S; name: string }) => entry(file.tensors, name);
  const infos = new Map([...found].map(([ours, place]) => [ours, info(place)] as const));

  const config = inferOfficialConfig(new Map([...infos].map(([ours, { shape }]) => [ours, shape])), hints, where);
  const p = new Params();
  buildFrom(where, () => seedGraphs(config, p));
  // The temperature of stage 1 is kept, for further training.
  const [name] = TEMPERATURES;
  const temperature: [string, readonly number[]][] = infos.has(name) ? [[name, []]] : [];
  const expected = new Map([...shapesOf(p), ...temperature]);
  const { missing, misshaped } = matchTensors(infos, expected);
  const wrong = [...expected.keys()].filter((name) => infos.has(name) && !isFloat(entry(infos, name).dtype));
  const tensors = new Map([...found].filter(([ours]) => expected.has(ours)));
  const report = {
    files: files.map((file) => reportOf(file, tensors, config, expected)),
    missing,
    misshaped: [
      ...misshaped.map(({ name, expected, found }) => `${name}: expected [${expected}], got [${found}]`),
      ...wrong.map((name) => `${name}: expected floats, got ${entry(infos, name).dtype}`),
    ],
    parameters: [...expected.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0),
  };
  return { config, tensors, report };
}

function reportOf(
  file: Source,
  tensors: ImportPlan["tensors"],
  config: ModelConfig,
  expected: ReadonlyMap<string, unknown>,
): FileReport {
  const used: string[] = [];
  const ignored: { name: string; why: string }[] = [];
  const names = ourNames(file.tensors.keys());
  for (const [name, ours] of names) {
    const place = tensors.get(ours);
    if (place?.file === file && place.name === name) used.push(name);
    else ignored.push({ name, why: place ? "a later file has it too" : notNeededBecause(ours) });
  }
  const { path, section, elsewhere } = file;
  const unwrapped = unwrapNames(file.tensors.keys());
  const published = new Set(unwrapped.names.values());
  const report = { path, section, elsewhere, wrappers: unwrapped.wrappers, used, ignored };
  if (
    !config.codebook ||
    !published.has("quantize.embedding.weight") ||
    used.some((name) => isTowerName(entry(names, name)))
  )
    return report;
  return {
    ...report,
    published: {
      missing: [...expected.keys()].filter(isTowerName).length,
      unexpected: [...published].filter(isOfficiallyUnexpected).length,
    },
  };
}

function isTowerName(name: string): boolean {
  return name.startsWith("visual_encoder.");
}

/** @throws CheckpointError listing every missing and misshaped tensor */
export function expectComplete({ report: { missing, misshaped, files } }: ImportPlan): void {
  const problems = [...missing.map((name) => `${name} is missing`), ...misshaped];
  if (problems.length === 0) return;
  const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
  throw new CheckpointError(
    `${files.map(({ path }) => path).join(" + ")}: ${problems.slice(0, 3).join("; ")}${more}. Is a file missing?`,
    problems,
  );
}

async function writeImport(
  { config, tensors, report }: ImportPlan<TensorFile>,
  folder: string,
  { dtype, tokenizer, onProgress, signal }: ImportOptions,
): Promise<ImportReport> {
  const notFinite: { name: string; count: number }[] = [];
  const sizes = [...tensors.values()].map(({ file, name }) => entry(file.tensors, name).byteLength);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let done = 0;
  const onRead = (bytes: number) => {
    signal?.throwIfAborted();
    done += bytes;
    onProgress?.(done, total);
  };
  const onNotFinite = (name: string, count: number) => void notFinite.push({ name, count });
  const copies = [...tensors].map(([ours, { file, name }]) =>
    copyTensor(file, name, { name: ours, floats: dtype && STORED_AS[dtype], onNotFinite, onRead }),
  );
  await writeFolder(folder, async (temporary) => {
    await writeJson(join(temporary, "config.json"), config);
    await writeJson(join(temporary, "preprocessor_config.json"), preprocessor(config));
    if (tokenizer) await copyFile(tokenizer, join(temporary, "tokenizer.json"));
    await writeSafetensors(join(temporary, "model.safetensors"), copies);
  });
  return { ...report, notFinite };
}

/** In Hugging Face's format, for other tools; our own reader knows it from config.json. */
function preprocessor({ vision }: ModelConfig): unknown {
  const size = { height: vision.imageSize, width: vision.imageSize };
  return {
    do_resize: true,
    size,
    resample: 3,
    do_normalize: true,
    image_mean: CLIP_STATS.mean,
    image_std: CLIP_STATS.std,
  };
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

function defined(hints: Hints): Hints {
  return Object.fromEntries(Object.entries(hints).filter(([, value]) => value !== undefined));
}
