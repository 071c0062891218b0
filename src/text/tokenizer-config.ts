/** `tokenizer_config.json`: settings that change how text becomes ids must agree with tokenizer.json, which is what is read. */
import { InputError } from "../base/errors.ts";
import { expectKnownKeys } from "../base/known-keys.ts";
import { quote, show } from "../base/one-line.ts";
import type { AddedToken } from "./image-tokens.ts";

type Json = Readonly<Record<string, unknown>>;

/** They are read elsewhere, or concern padding, templates, display and where the files are from. */
const NOTES = new Set([
  ...["add_prefix_space", "added_tokens_decoder", "tokenizer_class", "processor_class", "auto_map", "name_or_path"],
  ...["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"],
  ...["additional_special_tokens", "extra_special_tokens", "model_specific_special_tokens", "image_token"],
  ...["add_bos_token", "add_eos_token", "add_special_tokens", "split_special_tokens", "chat_template"],
  ...["use_default_system_prompt", "response_schema", "clean_up_tokenization_spaces", "spaces_between_special_tokens"],
  ...["model_max_length", "max_len", "max_length", "stride", "truncation", "truncation_side", "truncation_strategy"],
  ...["padding", "padding_side", "pad_to_multiple_of", "pad_token_type_id", "model_input_names", "errors", "legacy"],
  ...["sp_model_kwargs", "use_fast", "backend", "is_local", "local_files_only", "tokenizer_file", "vocab_file"],
  ...["merges_file", "special_tokens_map_file", "trim_offsets", "unsloth_version", "_commit_hash"],
]);

/**
 * Templates of this package write the special tokens, and text is never cleaned up, so settings about that change nothing.
 * @throws InputError naming a setting that would make other ids than tokenizer.json
 */
export function expectTokenizerConfig(config: Json, json: Json, added: readonly AddedToken[], where: string): void {
  expectKnownKeys(Object.entries(config), where, (key) => NOTES.has(key));
  const { add_prefix_space: prefix, added_tokens_decoder: decoder } = config;
  const own = (json["pre_tokenizer"] as Json | null | undefined)?.["add_prefix_space"];
  if (typeof prefix === "boolean" && typeof own === "boolean" && prefix !== own)
    throw new InputError(
      `${where}: expected add_prefix_space ${own}, as in tokenizer.json, got ${prefix}. Make them alike.`,
    );
  const contents = new Map(added.map(({ id, content }) => [String(id), content]));
  for (const [id, token] of Object.entries((decoder ?? {}) as Record<string, Json | null>))
    if (token?.["content"] !== contents.get(id))
      throw new InputError(
        `${where}: expected ${quote(contents.get(id) ?? "no added token")} as token ${quote(id)}, as in tokenizer.json, got ${show(token?.["content"])}. Copy both files again.`,
      );
}
