/**
 * Which files of a Stable Diffusion model on the Hub are needed. Such a repository holds the same weights several times: in two
 * precisions, as pickles, for other libraries, and all parts in one file.
 */
import { InputError } from "../base/errors.ts";
import { TORCH_NAMES, WEIGHT_NAMES } from "./part-weights.ts";

const PARTS = ["text_encoder", "unet", "vae", "image_encoder", "image_normalizer"];
const FOLDERS = [...PARTS, "scheduler", "image_noising_scheduler", "tokenizer"];

/** Settings of all parts, and each part's weights once. */
export function diffusersFiles(paths: readonly string[]): string[] {
  return neededFiles(paths, WEIGHT_NAMES);
}

/** The same for an import, which also reads what PyTorch saved. @throws InputError if this is not a diffusers folder. */
export function importableFiles(paths: readonly string[], model: string): string[] {
  if (paths.includes("model_index.json")) return neededFiles(paths, [...WEIGHT_NAMES, ...TORCH_NAMES]);
  const files = paths.filter((path) => /\.(safetensors|pt|pth|bin)$/.test(path));
  const some = files.length > 0 ? `Name one of its files: ${files.slice(0, 5).join(", ")}.` : "It has no tensors.";
  throw new InputError(`${model}: expected model_index.json of a diffusers folder, found none. ${some}`);
}

function neededFiles(paths: readonly string[], names: readonly string[]): string[] {
  const settings = new RegExp(`^(model_index\\.json|(${FOLDERS.join("|")})/[^/]+\\.(json|txt))$`);
  const isIndex = (path: string): boolean => path.includes("safetensors.index");
  const small = paths.filter((path) => settings.test(path) && !isIndex(path));
  return [...small, ...PARTS.flatMap((part) => weightFiles(part, paths, names))];
}

/** A file, or an index with its shards: "model-00001-of-00002.safetensors", "model.fp16-00001-of-00002.safetensors". */
function weightFiles(part: string, paths: readonly string[], names: readonly string[]): string[] {
  const name = names.find((candidate) => paths.includes(`${part}/${candidate}`));
  if (name === undefined) return [];
  if (!name.endsWith(".json")) return [`${part}/${name}`];
  const stem = `${part}/${name.slice(0, name.indexOf("."))}${name.includes("fp16") ? ".fp16" : ""}-`;
  return [`${part}/${name}`, ...paths.filter((path) => path.startsWith(stem) && path.endsWith(".safetensors"))];
}
