/** What a model folder can do, and what it would need for the rest. */
import { UsageError } from "../base/errors.ts";
import type { EmbeddingKind } from "../image-decoder/decoder.ts";
import type { SeedFolder } from "./seed-folder.ts";

export type Capability =
  | "encode"
  | "embed"
  | "embedText"
  | "embedCodes"
  | "generationEmbeddings"
  | "decode"
  | "decodeDraft"
  | "decodeText"
  | "clipImage"
  | "clipText";

const NEEDS: Readonly<Record<Capability, string>> = {
  encode: "a codebook (quantize.embedding.weight). Import a SEED checkpoint",
  embed: "a contrastive space (vision_proj.weight). Import a stage-1 checkpoint too",
  embedText:
    "the text side: the Q-Former's text branch and text_proj.weight, which BLIP-2 and stage-1 checkpoints hold, and the " +
    "tokenizer.json of bert-base-uncased in the folder or named as `tokenizer`",
  embedCodes:
    "decoder blocks (pos_embed, blocks) and a contrastive space (vision_proj.weight). Import the stage-1 and stage-2 " +
    "checkpoints together",
  generationEmbeddings: "a head for image or text (distill_image_proj.weight, distill_text_proj.weight)",
  decode: "an image decoder that reads what the codes become. Name a folder in diffusers' layout as `decoder`",
  decodeDraft: "an image decoder that reads drafts, as models that are trained here may have",
  decodeText: "an image decoder that reads text features, and a text encoder. Name Stable Diffusion 1.x as `decoder`",
  clipImage: "the CLIP pair of a model that was trained here",
  clipText: "the CLIP pair of a model that was trained here",
};

export function capabilitiesOf(
  { graphs, tokenizer }: Pick<SeedFolder, "graphs" | "tokenizer">,
  decodes: { readonly codes: EmbeddingKind | undefined; readonly text: boolean },
): ReadonlySet<Capability> {
  const can: Record<Capability, boolean> = {
    encode: graphs.encodeImage?.["ids"] !== undefined,
    embed: graphs.encodeImage?.["embedding"] !== undefined,
    embedText: graphs.encodeText !== undefined && tokenizer !== undefined,
    embedCodes: graphs.embedCodes?.["embedding"] !== undefined,
    generationEmbeddings: graphs.generationEmbedding !== undefined,
    decode: decodes.codes !== undefined,
    decodeDraft: decodes.codes === "draft",
    decodeText: decodes.text,
    clipImage: graphs.clipImage !== undefined,
    clipText: graphs.clipText !== undefined && tokenizer !== undefined,
  };
  return new Set((Object.keys(can) as Capability[]).filter((name) => can[name]));
}

/** @throws UsageError naming what the model would need. */
export function expectCapability(path: string, has: ReadonlySet<Capability>, wanted: Capability): void {
  if (!has.has(wanted)) throw new UsageError(`${path}: ${wanted} needs ${NEEDS[wanted]}.`);
}
