/** config.json of a Seedling folder: every size of the chain, checked when it is read. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import type { TextEncoderConfig } from "./clip.ts";
import type { SeedConfig } from "./seed-tokenizer.ts";

export const count = z.int().min(1).max(1_000_000);

export const vision = z
  .strictObject({
    imageSize: count,
    patchSize: count,
    width: count,
    depth: count,
    heads: count,
    mlpHidden: count,
    eps: z.number().optional(),
    stem: z.array(z.int().min(8).max(4096).multipleOf(8)).max(8).optional(),
  })
  .refine(({ patchSize, stem = [] }) => patchSize % 2 ** stem.length === 0, {
    path: ["stem"],
    error: "expected a patch size that the stem can halve once a level",
  });

const textEncoder = z.strictObject({
  vocabulary: count,
  maxPositions: count,
  width: count,
  depth: count,
  heads: count,
  intermediate: count,
  activation: z.enum(["gelu", "quick_gelu"]),
  eps: z.number().optional(),
});

export const qformer = z.strictObject({
  hidden: count,
  heads: count,
  layers: count,
  intermediate: count,
  crossAttentionFrequency: count.optional(),
  causal: z.boolean(),
  vocabulary: count.optional(),
  maxPositions: count.optional(),
  eps: z.number().optional(),
});

const imageHead = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("down"), dims: z.tuple([count, count, count]) }),
  z.strictObject({ kind: z.literal("reverse"), layers: count }),
]);

export const codebook = z.strictObject({
  codes: z.int().min(2).max(8192),
  width: count,
  beta: z.number().optional(),
});

export const image = z.strictObject({ width: count, head: imageHead });

export const text = z.strictObject({ tokens: count, width: count, layers: count, suffix: z.enum(["", "_text"]) });

const schema = z.strictObject({
  format: z.literal("seedling-1"),
  /** Normalization of pixels in 0..1. */
  pixels: z.strictObject({ mean: z.array(z.number()).length(3), std: z.array(z.number()).length(3) }),
  vision,
  /** Width of the space that pictures and captions share. */
  clipWidth: count,
  textEncoder,
  qformer,
  codebook,
  decoderDepth: count,
  decoderHeads: count,
  image,
  text,
  contrastiveWidth: count,
  /** Which head speaks to the diffusion model. */
  paintsFrom: z.enum(["image", "text"]),
});

/** Architecture of a whole chain: CLIP pair, SEED tokenizer, and which of its heads paints. */
export type SeedlingConfig = z.infer<typeof schema>;

/** @throws InputError naming every wrong or unknown key. */
export function parseSeedlingConfig(json: unknown, where: string): SeedlingConfig {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "top level"}: ${issue.message}`);
  throw new InputError(`${where}: ${problems.slice(0, 5).join("; ")}. Compare with models/seedling-mini/config.json.`);
}

/** The part that the SEED functions take. */
export function seedConfig(config: SeedlingConfig): SeedConfig {
  const { vision, qformer, codebook, decoderDepth, decoderHeads, image, text, contrastiveWidth } = config;
  return {
    vision: vision as SeedConfig["vision"],
    qformer: qformer as SeedConfig["qformer"],
    codebook: codebook as SeedConfig["codebook"],
    decoderDepth,
    decoderHeads,
    image,
    text,
    contrastiveWidth,
  };
}

export function textEncoderConfig(config: SeedlingConfig): TextEncoderConfig {
  return config.textEncoder as TextEncoderConfig;
}
