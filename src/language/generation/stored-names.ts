/** Under which names the files of a language model hold its weights: Hugging Face's, or those with other prefixes. */
import { vocabularyPaths } from "../../models/language-model.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import type { TensorFile } from "../../weights/index.ts";
import { HEAD } from "../../weights/quantized/lm-matrices.ts";

/** What wrappers put before every name: data-parallel training, and compiled modules. */
const WRAPPERS = /^(?:module\.|_orig_mod\.)+/;

/**
 * The model's name of each tensor -> its name in the file. Models saved without their head lack `model.` before every name;
 * tied weights may be stored as the head only. Tables that are computed here, and copies of tied weights, are left out.
 */
export function storedNames({ tensors }: Pick<TensorFile, "tensors">, config: LmConfig): Map<string, string> {
  const names = new Map<string, string>();
  for (const stored of tensors.keys()) {
    const inner = stored.replace(WRAPPERS, "");
    const name = inner.startsWith("model.") || inner.startsWith("lm_head.") ? inner : `model.${inner}`;
    const taken = name !== stored && (tensors.has(name) || names.has(name));
    if (!name.endsWith(".rotary_emb.inv_freq")) names.set(taken ? stored : name, stored);
  }
  const head = names.get(HEAD);
  if (config.tied && head !== undefined) {
    const embeddings = `${vocabularyPaths(config).embeddings}.weight`;
    if (!names.has(embeddings)) names.set(embeddings, head);
    names.delete(HEAD);
  }
  return names;
}
