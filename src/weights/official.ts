/**
 * The published layouts of SEED: which file holds which tensors, and how its names differ from ours. The tables are
 * read both ways: an import adds the prefix that an export takes off.
 */

import { unwrapNames } from "./state-dict.ts";

const TOWER = "visual_encoder.";

export interface OfficialFile {
  /** The name under which it was published. */
  readonly file: string;
  /** Key of the root dict that holds the tensors; undefined if they are the root. */
  readonly section?: "model";
  /** Prefix of our names that the file's names lack. */
  readonly prefix: string;
  /** Does the file hold the tensor that we call `name`? */
  readonly holds: (name: string) => boolean;
}

const isTower = (name: string): boolean => name.startsWith(TOWER);
const isEncoder = (name: string): boolean =>
  /^(query_tokens|temp)$|^(ln_vision|Qformer|vision_proj|text_proj)\./.test(name);

const tower: OfficialFile = { file: "eva_vit_g.pth", prefix: TOWER, holds: isTower };

export const LAYOUTS = {
  /** SEED-LLaMA's tokenizer: one flat file next to the tower. */
  v2: [{ file: "seed_quantizer.pt", prefix: "", holds: (name) => !isTower(name) }, tower],
  /** The first paper's: the Causal Q-Former, then the codec. */
  v1: [
    { file: "causal_qformer.pth", section: "model", prefix: "", holds: isEncoder },
    { file: "seed_tokenizer.pth", section: "model", prefix: "", holds: (name) => !isEncoder(name) && !isTower(name) },
    tower,
  ],
  /** A Q-Former without a codebook: BLIP-2's, or that of stage 1. */
  encoder: [{ file: "blip2_pretrained.pth", section: "model", prefix: "", holds: (name) => !isTower(name) }, tower],
} as const satisfies Record<string, readonly OfficialFile[]>;

export type LayoutName = keyof typeof LAYOUTS;

/**
 * The first paper's text head has the names that the image head has elsewhere: ours -> v1's, up to a dot. The files of v1
 * hold no image head.
 */
const V1_NAMES = [
  ["Reverse_Qformer_text", "Reverse_Qformer"],
  ["reverse_tokens_text", "reverse_tokens"],
] as const;

/**
 * Our name of each tensor of an official file, without what training wrapped around the model. A tower's own file is
 * known by its names without prefix.
 */
export function ourNames(stored: Iterable<string>): Map<string, string> {
  const { names } = unwrapNames(stored);
  const all = new Set(names.values());
  const prefix = all.has("cls_token") && all.has("patch_embed.proj.weight") ? TOWER : "";
  const v1 =
    all.has("distill_text_proj.weight") && !all.has("reverse_tokens_text") && !all.has("distill_image_proj.weight");
  return new Map([...names].map(([own, name]) => [own, v1 ? renamed(name, 1, 0) : prefix + name]));
}

/** The name in the files of a layout of the tensor that we call `name`, without the prefix of a file. */
export function officialName(name: string, layout: LayoutName): string {
  return layout === "v1" ? renamed(name, 0, 1) : name;
}

function renamed(name: string, from: 0 | 1, to: 0 | 1): string {
  const [first, ...rest] = name.split(".") as [string, ...string[]];
  const row = V1_NAMES.find((names) => names[from] === first);
  return [row ? row[to] : first, ...rest].join(".");
}

const NOT_NEEDED: readonly (readonly [RegExp, string])[] = [
  [/\.position_ids$/, "a buffer that counts positions"],
  [/^Qformer\.cls\./, "word prediction, which SEED switches off"],
  [/^visual_encoder\.blocks\.39\./, "the last block of ViT-g, whose output nobody reads"],
  [/^(clip_model|text_encoder)\./, "a frozen teacher of training"],
  [/^itm_head\./, "BLIP-2's matching head"],
];

/** Why our models do not use a tensor of an official file. `name` is ours. */
export function notNeededBecause(name: string): string {
  return NOT_NEEDED.find(([pattern]) => pattern.test(name))?.[1] ?? "not part of the model";
}

/** The output of the 39th block is the tower's: ViT-g has 40 (published system: penultimate block). */
export const TOWER_BLOCKS = 39;

/**
 * Would the published v2 inference class report this name of seed_quantizer.pt as unexpected? It does for what only
 * training reads, and passes over names below modules that it sets to None (the text path).
 */
export function isOfficiallyUnexpected(name: string): boolean {
  return /^(temp$|(vision|text|distill_text)_proj\.|(clip_model|text_encoder)\.|(pos_embed|reverse_tokens)_text$|(blocks|Reverse_Qformer)_text\.)/.test(
    name,
  );
}
