/** Which files of a CLIP on the Hub are needed: such a repository also holds weights for other libraries. */

const SETTINGS = [
  ...["config.json", "preprocessor_config.json", "tokenizer.json", "vocab.json", "merges.txt"],
  ...["special_tokens_map.json", "tokenizer_config.json"],
];
/** The best first. */
export const CLIP_WEIGHTS = ["model.safetensors", "pytorch_model.bin"] as const;

/** Is it a CLIP in transformers' layout, by the names of its files? */
export function isClipRepository(paths: readonly string[]): boolean {
  const settings = ["config.json", "preprocessor_config.json"].every((name) => paths.includes(name));
  return settings && CLIP_WEIGHTS.some((name) => paths.includes(name));
}

/** Settings, and the weights once. */
export function clipFiles(paths: readonly string[]): string[] {
  const weights = CLIP_WEIGHTS.find((name) => paths.includes(name));
  return [...SETTINGS.filter((name) => paths.includes(name)), ...(weights ? [weights] : [])];
}

/** Of `SETTINGS`, all but the configuration, which every folder has. */
export const CLIP_OPTIONAL: readonly string[] = SETTINGS.slice(1);
