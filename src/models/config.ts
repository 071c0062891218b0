/** config.json of a model folder: the sizes of every part that the folder holds, checked when it is read. */
import { z } from "zod";
import { parseWith } from "../base/parse-with.ts";
import type { SeedConfig } from "./seed-tokenizer.ts";

export const FORMAT = "seedling-2";

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
  /** Which tokens a token attends to: itself and those before it, as in CLIP, or all. Default "before". */
  attention: z.enum(["before", "all"]).optional(),
});

const qformer = z.strictObject({
  hidden: count,
  heads: count,
  layers: count,
  intermediate: count,
  crossAttentionFrequency: count.optional(),
  causal: z.boolean(),
  /** Codes of a picture. Default 32, which language models and files of codes need. */
  queries: z.int().min(1).max(256).optional(),
  vocabulary: count.optional(),
  maxPositions: count.optional(),
  eps: z.number().optional(),
});

const imageHead = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("down"), dims: z.tuple([count, count, count]) }),
  z.strictObject({ kind: z.literal("reverse"), layers: count }),
]);

const codebook = z.strictObject({
  codes: z.int().min(2).max(16_384),
  width: count,
  beta: z.number().optional(),
  /** Learned vectors take the place of codes that are left out. */
  missing: z.literal(true).optional(),
});

const image = z.strictObject({ width: count, head: imageHead });

const text = z.strictObject({ tokens: count, width: count, layers: count });

const draft = z
  .strictObject({
    channels: count,
    size: count,
    cell: count,
    layers: count,
    hidden: z.literal(true).optional(),
  })
  .refine(({ size, cell }) => size % cell === 0, { path: ["cell"], error: "expected a size in whole cells" });

const stats = z.array(z.number()).length(3);

/** What every model has: a tower and a Q-Former. */
const base = {
  format: z.literal(FORMAT),
  vision,
  /** With `vocabulary` and `maxPositions` it also reads text. */
  qformer,
};

const parts = {
  /** Normalization of pixels in 0..1. Default: CLIP's. */
  pixels: z.strictObject({ mean: stats, std: stats }),
  /** Width of the space in which the last causal embedding meets captions (stage 1). */
  contrastiveWidth: count,
  /** Which text encoder embeds captions there: the Q-Former's text branch, as published, or that of the CLIP pair. */
  contrastiveText: z.enum(["qformer", "clip"]),
  /** Learned positions are added to what the Causal Q-Former attends to. */
  contextPositions: z.literal(true),
  codebook,
  /** Blocks of each decoder of the codes, and their heads. */
  decoderDepth: count,
  decoderHeads: count,
  /** The heads that turn codes into generation embeddings. */
  image,
  text,
  /** The CLIP pair of a model that was trained here: width of its space, and its text encoder. */
  clipWidth: count,
  textEncoder,
  /** Cells per side of the grid that the pair's image embedding is made from. Default: the mean of all tokens. */
  clipGrid: count,
  /** The draft: channels and size of the latents, side of a cell, layers of the head, and whether its vectors are read too. */
  draft,
};

/** What a model that is trained here need not have. */
const optional = { clipGrid: true, contrastiveText: true, contextPositions: true, draft: true } as const;

const folder = z
  .strictObject({
    ...base,
    ...z.object(parts).partial().shape,
    /** Are the causal embeddings reconstructed from the codes? Default: if there is a codebook. */
    reconstructs: z.boolean().optional(),
  })
  .refine((c) => !c.codebook || (c.decoderDepth && c.decoderHeads), {
    error: "expected decoderDepth and decoderHeads with codebook",
  })
  .refine((c) => !c.draft?.hidden || c.qformer.hidden % c.draft.cell ** 2 === 0, {
    error: "expected a Q-Former whose width is a multiple of the latents in a cell, for draft.hidden",
  })
  .refine((c) => (c.clipWidth === undefined) === (c.textEncoder === undefined), {
    error: "expected clipWidth and textEncoder together",
  })
  .refine((c) => c.contrastiveText !== "clip" || c.contrastiveWidth === c.clipWidth, {
    error: "expected contrastiveWidth equal to clipWidth where the pair's text encoder speaks for captions",
  });

/** What a folder holds; parts that it lacks are undefined. */
export type ModelConfig = z.infer<typeof folder>;

/** @throws InputError naming every wrong or unknown key. */
export const parseModelConfig: (json: unknown, where: string) => ModelConfig = parseWith(folder);

const whole = z.strictObject({ ...base, ...z.object(parts).partial(optional).shape });

/** A whole chain, as it is trained here: CLIP pair and SEED tokenizer with both heads. */
export type SeedlingConfig = z.infer<typeof whole>;

/** @throws InputError naming every wrong or unknown key. */
export const parseSeedlingConfig: (json: unknown, where: string) => SeedlingConfig = parseWith(whole);

/** The part that the SEED functions take. Without a codebook nothing may be built from the sizes of one. */
export function seedConfig(config: ModelConfig | SeedlingConfig): SeedConfig {
  const { vision, qformer, image, text, contrastiveWidth, contextPositions, draft } = config;
  const { codebook = { codes: 1, width: 1 }, decoderDepth = 1, decoderHeads = 1 } = config;
  const tokenizer = { vision, qformer, codebook, decoderDepth, decoderHeads };
  return { ...tokenizer, image, text, contrastiveWidth, contextPositions, draft };
}
