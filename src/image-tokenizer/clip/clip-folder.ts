/** A CLIP with both towers in the layout of transformers (`CLIPModel`), such as openai/clip-vit-large-patch14. */
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { input, type Outputs, Params, shapesOf } from "../../graph/index.ts";
import { exists } from "../../io/files.ts";
import { join } from "../../io/paths.ts";
import { type TextEncoderConfig, textEmbedding, textEncoder } from "../../models/clip.ts";
import { readClipTextConfig, readClipVisionConfig } from "../../models/clip-config.ts";
import { type ClipVisionConfig, clipVision } from "../../models/clip-vision.ts";
import { ClipPrompts } from "../../text/index.ts";
import { parseWith, readJsonFile } from "../../weights/index.ts";
import { type CheckedWeights, checkedWeights } from "../../weights/mapped/weights.ts";

export interface ClipSizes {
  readonly text: TextEncoderConfig;
  readonly vision: ClipVisionConfig;
}

/** pixels f32 [B,3,Y,X] -> embedding f32 [B,F]; ids i32 [B,L] and the index of the end token i32 [B] -> embedding f32 [B,F]. */
export type ClipProgram = "image" | "text";

export interface ClipFolder {
  readonly path: string;
  readonly sizes: ClipSizes;
  readonly prompts: ClipPrompts;
  readonly graphs: Readonly<Record<ClipProgram, Outputs>>;
  readonly weights: CheckedWeights;
}

/** transformers leaves out of a config what equals ViT-B/32. */
const DEFAULTS = {
  text: {
    vocab_size: 49408,
    hidden_size: 512,
    intermediate_size: 2048,
    num_hidden_layers: 12,
    num_attention_heads: 8,
    max_position_embeddings: 77,
  },
  vision: {
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    image_size: 224,
    patch_size: 32,
  },
};

const part = z.record(z.string(), z.unknown()).default({});
const parseConfig = parseWith(
  z.object({
    model_type: z.literal("clip"),
    projection_dim: z.int().min(1).max(1_000_000).default(512),
    text_config: part,
    vision_config: part,
  }),
);

/** Is this a folder of a whole CLIP? */
export async function isClipFolder(path: string): Promise<boolean> {
  const where = join(path, "config.json");
  if (!(await exists(where))) return false;
  const json = await readJsonFile(where).catch(() => undefined);
  return (json as { readonly model_type?: unknown } | null | undefined)?.model_type === "clip";
}

/** @throws InputError naming every field that is missing, wrong or not supported */
export async function readClipSizes(path: string): Promise<ClipSizes> {
  const where = join(path, "config.json");
  const { projection_dim, text_config, vision_config } = parseConfig(await readJsonFile(where), where);
  return {
    text: readClipTextConfig({ ...DEFAULTS.text, ...text_config }, `${where} text_config`),
    vision: readClipVisionConfig({ ...DEFAULTS.vision, ...vision_config, projection_dim }, `${where} vision_config`),
  };
}

export interface BuiltClip {
  readonly graphs: ClipFolder["graphs"];
  /** Name and shape of every tensor. */
  readonly shapes: readonly (readonly [string, readonly number[]])[];
}

export function buildClip({ text, vision }: ClipSizes): BuiltClip {
  const p = new Params();
  const { imageSize: size, projection } = vision;
  const hidden = textEncoder(p.at("text_model"), input("ids", ["B", text.maxPositions], "i32"), text);
  const graphs = {
    image: { embedding: clipVision(p, input("pixels", ["B", 3, size, size]), vision) },
    text: { embedding: textEmbedding(p, hidden, input("end", ["B"], "i32"), projection) },
  };
  return { graphs, shapes: shapesOf(p) };
}

/** Tensors of a CLIP that are not run: the temperature of its training, and position ids. */
export function isIdle(name: string): boolean {
  return name === "logit_scale" || name.endsWith(".position_ids");
}

/**
 * @throws InputError if a file is missing, the folder holds something else, or files do not belong together;
 * CheckpointError listing every missing, extra and misshaped tensor
 */
export async function openClipFolder(path: string): Promise<ClipFolder> {
  if (!(await isClipFolder(path)))
    throw new InputError(
      `${path}: expected a CLIP folder with config.json of model_type "clip", found none. Name one.`,
    );
  const sizes = await readClipSizes(path);
  const { graphs, shapes } = buildClip(sizes);
  const { vocabulary, maxPositions: length } = sizes.text;
  const prompts = await ClipPrompts.open(path, { vocabulary, length, fill: "end" });
  const weights = await checkedWeights(join(path, "model.safetensors"), shapes, { other: isIdle });
  return { path, sizes, prompts, graphs, weights };
}
