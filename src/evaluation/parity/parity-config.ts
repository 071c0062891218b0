/** config.json of a parity fixture (described in test/fixtures/tiny-a/README.md) -> the configuration of our model. */
import { z } from "zod";
import { CheckpointError } from "../../base/errors.ts";
import type { QFormerConfig } from "../../models/qformer.ts";
import { type ImageHead, QUERIES, type SeedConfig } from "../../models/seed-tokenizer.ts";

const size = z.int().positive();
const eps = z.number().positive();

const transformer = z.object({
  hidden_size: size,
  num_attention_heads: size,
  num_hidden_layers: size,
  intermediate_size: size,
  encoder_width: size,
  cross_attention_freq: size,
  layer_norm_eps: eps,
});

/** Sizes are free; what the published model fixes is a literal, so that a fixture of another model is refused. */
const encoder = z.object({
  vision: z.object({
    image_size: size,
    patch_size: size,
    in_channels: z.literal(3),
    width: size,
    depth: size,
    heads: size,
    mlp_hidden: size,
    layer_norm_eps: eps,
    activation: z.literal("gelu_erf"),
    qkv_bias: z.literal("q_and_v_only"),
  }),
  ln_vision: z.object({ eps: z.literal(1e-5) }),
  qformer: transformer.extend({
    num_query_tokens: z.literal(QUERIES),
    causal: z.literal(true),
    activation: z.literal("gelu_erf"),
    masked_score: z.literal(-10000),
    vocab_size: size.nullable(),
    max_position_embeddings: size,
  }),
});

const codec = encoder.extend({
  quantizer: z.object({ n_embed: size, embed_dim: size, beta: z.number(), legacy: z.literal(true) }),
  decoder: z.object({
    depth: size,
    num_heads: size,
    mlp_ratio: z.literal(4),
    layer_norm_eps: z.literal(1e-6),
    activation: z.literal("gelu_erf"),
    qkv_bias: z.literal(true),
  }),
});

const reverse = transformer.extend({ causal: z.literal(false), num_reverse_tokens: size });

const schema = z.discriminatedUnion("kind", [
  codec.extend({
    kind: z.literal("v2-inference"),
    image_features_dim: size,
    image_down: z
      .object({
        dims: z.tuple([size, size, size, size]),
        bias: z.literal(false),
        activation: z.literal("relu"),
      })
      .optional(),
    reverse_qformer: reverse.extend({ num_reverse_tokens: z.literal(1) }).optional(),
  }),
  codec.extend({ kind: z.literal("v1-inference"), text_features_dim: size, reverse_qformer: reverse }),
  encoder.extend({
    kind: z.literal("stage1-training"),
    qformer: encoder.shape.qformer.extend({ vocab_size: size }),
    contrastive: z.object({
      embed_dim: size,
      label_smoothing: z.number().min(0).max(1),
      image_feature: z.literal("last_query"),
      text_feature: z.literal("first_token"),
    }),
  }),
]);

export interface ParityConfig {
  readonly kind: "v2-inference" | "v1-inference" | "stage1-training";
  readonly model: SeedConfig;
  /** Label smoothing of stage 1. */
  readonly smoothing?: number;
}

/** @throws CheckpointError if the text is not JSON, the kind is unknown, or a constant is not the published one. */
export function parseParityConfig(text: string, where: string): ParityConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError(`${where}: expected JSON, got something else. Is the file cut short?`, [], { cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`);
    throw new CheckpointError(
      `${where}: expected the config of a parity fixture, got: ${problems.join("; ")}.`,
      problems,
    );
  }
  const c = parsed.data;
  const { vision, qformer } = c;
  const base = {
    vision: {
      imageSize: vision.image_size,
      patchSize: vision.patch_size,
      width: vision.width,
      depth: vision.depth,
      heads: vision.heads,
      mlpHidden: vision.mlp_hidden,
      eps: vision.layer_norm_eps,
    },
    qformer: {
      hidden: qformer.hidden_size,
      heads: qformer.num_attention_heads,
      layers: qformer.num_hidden_layers,
      intermediate: qformer.intermediate_size,
      crossAttentionFrequency: qformer.cross_attention_freq,
      causal: true,
      eps: qformer.layer_norm_eps,
    } satisfies QFormerConfig,
  };
  if (c.kind === "stage1-training") {
    const text = { vocabulary: c.qformer.vocab_size, maxPositions: qformer.max_position_embeddings };
    const unused = { codebook: { codes: 1, width: 1 }, decoderDepth: 1, decoderHeads: 1 }; // stage 1 ends before these
    const model = {
      ...base,
      ...unused,
      qformer: { ...base.qformer, ...text },
      contrastiveWidth: c.contrastive.embed_dim,
    };
    return { kind: c.kind, model, smoothing: c.contrastive.label_smoothing };
  }
  const { quantizer, decoder } = c;
  const coded = {
    ...base,
    codebook: { codes: quantizer.n_embed, width: quantizer.embed_dim, beta: quantizer.beta },
    decoderDepth: decoder.depth,
    decoderHeads: decoder.num_heads,
  };
  const layers = c.reverse_qformer?.num_hidden_layers ?? 0;
  for (const key of ["hidden_size", "num_attention_heads", "intermediate_size", "cross_attention_freq"] as const)
    if (c.reverse_qformer && c.reverse_qformer[key] !== qformer[key])
      throw new CheckpointError(
        `${where}: expected reverse_qformer.${key} to be qformer's ${qformer[key]}, got ${c.reverse_qformer[key]}.`,
      );
  if (c.kind === "v1-inference") {
    const tokens = c.reverse_qformer.num_reverse_tokens;
    return { kind: c.kind, model: { ...coded, text: { tokens, layers, width: c.text_features_dim } } };
  }
  const [, ...dims] = c.image_down?.dims ?? [];
  const head = dims.length === 3 ? { kind: "down", dims } : { kind: "reverse", layers };
  if (layers === 0 && dims.length === 0)
    throw new CheckpointError(`${where}: expected image_down or reverse_qformer, got neither.`);
  return { kind: c.kind, model: { ...coded, image: { width: c.image_features_dim, head: head as ImageHead } } };
}
