/**
 * Which files of a Stable Diffusion on the Hub are needed. Such a repository holds the same weights several times: in two
 * precisions, as pickles, for other libraries, and all parts in one file.
 */
import { WEIGHT_NAMES } from "./part-weights.ts";

const PARTS = ["text_encoder", "unet", "vae", "image_encoder", "image_normalizer"];
const FOLDERS = [...PARTS, "scheduler", "image_noising_scheduler", "tokenizer"];

/** Settings of all parts, and each part's weights once. */
export function diffusersFiles(paths: readonly string[]): string[] {
  const settings = new RegExp(`^(model_index\\.json|(${FOLDERS.join("|")})/[^/]+\\.(json|txt))$`);
  const isIndex = (path: string): boolean => path.includes("safetensors.index");
  const small = paths.filter((path) => settings.test(path) && !isIndex(path));
  return [...small, ...PARTS.flatMap((part) => weightFiles(part, paths))];
}

/** A file, or an index with its shards: "model-00001-of-00002.safetensors", "model.fp16-00001-of-00002.safetensors". */
function weightFiles(part: string, paths: readonly string[]): string[] {
  const name = WEIGHT_NAMES.find((candidate) => paths.includes(`${part}/${candidate}`));
  if (name === undefined) return [];
  if (!name.endsWith(".json")) return [`${part}/${name}`];
  const stem = `${part}/${name.slice(0, name.indexOf("."))}${name.includes("fp16") ? ".fp16" : ""}-`;
  return [`${part}/${name}`, ...paths.filter((path) => path.startsWith(stem) && path.endsWith(".safetensors"))];
}
