/**
 * A diffusers folder as it was published -> one that opens here: each part's weights as one safetensors file, whatever
 * they were stored as, and the settings next to them. First a plan from names and shapes, which is where every problem
 * shows; then the tensors, one at a time.
 */
import { CheckpointError, UsageError } from "../base/errors.ts";
import { entry, item } from "../base/item.ts";
import { copyFile, kindOf, makeFolder } from "../io/files.ts";
import { expectFree, listFolder, writeFolder } from "../io/folder.ts";
import { dirname, join } from "../io/paths.ts";
import { copyTensor, isFloat } from "../weights/copy-tensor.ts";
import { type CopyOptions, type FileReport, type ImportReport, STORED_AS } from "../weights/import-report.ts";
import { matchTensors, openCheckpoint, type TensorFile, writeSafetensors } from "../weights/index.ts";
import { isBuffer, type StoredPart, TORCH_NAMES, WEIGHT_NAMES } from "./part-weights.ts";
import { normalizerShapes } from "./parts.ts";
import {
  absent,
  type DiffusersSettings,
  expectAll,
  type PipelineName,
  readDiffusersSettings,
  readPipeline,
  settingsFiles,
} from "./settings.ts";

export interface DiffusersReport extends ImportReport {
  /** Sub-folders that decoding does not need; they are not copied. */
  readonly left: readonly string[];
}

/** Is this a diffusers folder, or meant to be one? A model folder of ours has a config.json at its top. */
export async function isDiffusersFolder(path: string): Promise<boolean> {
  const names = await listFolder(path).catch((): string[] => []);
  return !names.includes("config.json") && (names.includes("model_index.json") || names.includes("unet"));
}

/**
 * Imports the folder `from` into the new folder `to`.
 * @throws SetupError naming every part that is missing; InputError for another kind of pipeline; CheckpointError listing
 * every missing and misshaped tensor of all parts. Nothing is written then.
 */
export async function importDiffusers(from: string, to: string, options: CopyOptions = {}): Promise<DiffusersReport> {
  await expectFree(to);
  const places = await findParts(from);
  const settings = await readDiffusersSettings(from);
  const files: TensorFile[] = [];
  try {
    const parts: PlannedPart[] = [];
    for (const [name, stored] of storedParts(settings)) {
      const file = await openCheckpoint(join(from, entry(places, name)));
      files.push(file);
      parts.push(planPart(name, stored, file));
    }
    expectComplete(from, parts);
    return await write(from, to, parts, options);
  } finally {
    for (const file of files) await file.close();
  }
}

async function expectPublished(from: string): Promise<PipelineName> {
  const pipeline = await readPipeline(from);
  if (pipeline !== "SeedlingPipeline") return pipeline;
  throw new UsageError(
    `${from}: expected a published diffusers folder, got a decoder that was trained here. It opens as it is.`,
  );
}

/** Where each part's weights are, the best first. @throws SetupError naming all settings and weights that are missing. */
async function findParts(from: string): Promise<Map<string, string>> {
  const pipeline = await expectPublished(from);
  const unclip = pipeline === "StableUnCLIPImg2ImgPipeline";
  const wanted = ["text_encoder", "unet", "vae", ...(unclip ? ["image_normalizer"] : [])];
  if (unclip && (await absent(from, ["image_encoder/config.json"])).length === 0) wanted.push("image_encoder");
  const places = new Map<string, string>();
  const missing = await absent(from, settingsFiles(pipeline));
  for (const part of wanted) {
    const candidates = [...WEIGHT_NAMES, ...TORCH_NAMES].map((name) => `${part}/${name}`);
    const away = new Set(await absent(from, candidates));
    const place = candidates.find((candidate) => !away.has(candidate));
    if (place) places.set(part, place);
    else missing.push(`weights in ${part}/ (safetensors or .bin)`);
  }
  expectAll(from, missing);
  return places;
}

function storedParts({ built, pipeline, imageWidth }: DiffusersSettings): Map<string, StoredPart> {
  const parts = new Map<string, StoredPart>([...built].map(([name, { stored }]) => [name, stored]));
  if (pipeline === "StableUnCLIPImg2ImgPipeline")
    parts.set("image_normalizer", { shapes: normalizerShapes(imageWidth) });
  return parts;
}

interface PlannedPart {
  readonly name: string;
  readonly file: TensorFile;
  readonly report: FileReport;
  readonly missing: readonly string[];
  readonly misshaped: readonly string[];
  readonly parameters: number;
}

function planPart(part: string, { shapes, rename, other }: StoredPart, file: TensorFile): PlannedPart {
  const ours = (name: string): string => rename?.(name) ?? name;
  const wanted = new Set(shapes.map(([name]) => name));
  const found = new Map([...file.tensors.keys()].map((name) => [ours(name), name] as const));
  const used = [...found].filter(([name]) => wanted.has(name)).map(([, stored]) => stored);
  const kept = new Set(used);
  const why = (name: string): string => {
    if (isBuffer(name)) return "a buffer that counts positions";
    if (other?.(ours(name))) return "known, but decoding does not run it";
    return wanted.has(ours(name)) ? "a later tensor goes by the same name" : "not part of the model";
  };
  const ignored = [...file.tensors.keys()].filter((name) => !kept.has(name)).map((name) => ({ name, why: why(name) }));
  const infos = new Map([...found].map(([name, stored]) => [name, entry(file.tensors, stored)] as const));
  const { missing, misshaped } = matchTensors(infos, shapes);
  const wrong = [...wanted].filter((name) => infos.has(name) && !isFloat(entry(infos, name).dtype));
  return {
    name: part,
    file,
    report: { path: file.path, used, ignored },
    missing: missing.map((name) => `${part}/${name}`),
    misshaped: [
      ...misshaped.map(({ name, expected, found }) => `${part}/${name}: expected [${expected}], got [${found}]`),
      ...wrong.map((name) => `${part}/${name}: expected floats, got ${entry(infos, name).dtype}`),
    ],
    parameters: shapes.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0),
  };
}

function expectComplete(from: string, parts: readonly PlannedPart[]): void {
  const missing = parts.flatMap((part) => part.missing).map((name) => `${name} is missing`);
  const problems = [...missing, ...parts.flatMap(({ misshaped }) => misshaped)];
  if (problems.length === 0) return;
  const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
  throw new CheckpointError(
    `${from}: ${problems.slice(0, 3).join("; ")}${more}. Do the config.json files and the weights belong together?`,
    problems,
  );
}

/** Copied if they are there: not every folder has them. */
const OPTIONAL = [
  "image_encoder/config.json",
  "image_normalizer/config.json",
  ...["tokenizer.json", "vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"].map(
    (name) => `tokenizer/${name}`,
  ),
];

async function write(
  from: string,
  to: string,
  parts: readonly PlannedPart[],
  { dtype, onProgress, signal }: CopyOptions,
): Promise<DiffusersReport> {
  const size = ({ file, report }: PlannedPart): number =>
    report.used.reduce((sum, name) => sum + entry(file.tensors, name).byteLength, 0);
  const total = parts.reduce((sum, part) => sum + size(part), 0);
  const notFinite: { name: string; count: number }[] = [];
  let done = 0;
  const onRead = (bytes: number): void => {
    signal?.throwIfAborted();
    done += bytes;
    onProgress?.(done, total);
  };
  const optional = new Set(await absent(from, OPTIONAL));
  const settings = [
    "model_index.json",
    ...settingsFiles(await readPipeline(from)),
    ...OPTIONAL.filter((name) => !optional.has(name)),
  ];
  await writeFolder(to, async (temporary) => {
    const weights = parts.map((part) => ({ ...part, path: join(temporary, part.name, weightsName(part.name)) }));
    for (const path of [...settings.map((name) => join(temporary, name)), ...weights.map(({ path }) => path)])
      await makeFolder(dirname(path));
    for (const name of settings) await copyFile(join(from, name), join(temporary, name));
    for (const { name: part, file, report, path } of weights) {
      const onNotFinite = (name: string, count: number) => void notFinite.push({ name: `${part}/${name}`, count });
      const floats = dtype && STORED_AS[dtype];
      const copies = report.used.map((name) => copyTensor(file, name, { floats, onNotFinite, onRead }));
      await writeSafetensors(path, copies);
    }
  });
  return {
    files: parts.map(({ report }) => report),
    missing: parts.flatMap(({ missing }) => missing),
    misshaped: parts.flatMap(({ misshaped }) => misshaped),
    notFinite,
    parameters: parts.reduce((sum, { parameters }) => sum + parameters, 0),
    left: await leftFolders(from, [...settings, ...parts.map(({ name }) => `${name}/`)]),
  };
}

/** As transformers and diffusers call the weights of their models. */
function weightsName(part: string): string {
  return part === "text_encoder" || part === "image_encoder"
    ? "model.safetensors"
    : "diffusion_pytorch_model.safetensors";
}

async function leftFolders(from: string, taken: readonly string[]): Promise<string[]> {
  const used = new Set(taken.map((name) => item(name.split("/"), 0)));
  const left: string[] = [];
  for (const name of await listFolder(from))
    if (!used.has(name) && !name.startsWith(".") && (await kindOf(join(from, name))) === "folder") left.push(name);
  return left.sort();
}
