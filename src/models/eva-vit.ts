/**
 * The vision tower of EVA-CLIP, as BLIP-2 and SEED use it: pre-norm blocks, class token kept, no final norm.
 * Shared by ViT-g/14 (1408 wide, 39 blocks) and the mini model. Sun et al. 2023; Li et al. 2023 (BLIP-2).
 */
import { concat, normal, type Params, type Tensor, zeros } from "../graph/index.ts";
import { block, conv2d } from "../nn/index.ts";
import { resnet } from "./resnet2d.ts";

export interface VitConfig {
  /** Rows and columns of the picture, px. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly width: number;
  /** Blocks that are built; the original ViT-g has one more, whose output nothing reads. */
  readonly depth: number;
  readonly heads: number;
  /** Width inside the MLP. */
  readonly mlpHidden: number;
  /** Default 1e-6. */
  readonly eps?: number;
  /**
   * Channels of convolutions before the patches, each of which halves rows and columns; a patch then has fewer cells of
   * more channels. Ours, for small models that learn from little: Xiao et al. 2021. Default none, as published.
   */
  readonly stem?: readonly number[];
}

/** Number of tokens, class token included. */
export function vitTokens({ imageSize, patchSize }: Pick<VitConfig, "imageSize" | "patchSize">): number {
  return (imageSize / patchSize) ** 2 + 1;
}

/**
 * pixels: f32 [B,3,Y,X], normalized -> f32 [B,1+P,D], class token first.
 * Keys `cls_token`, `pos_embed`, `patch_embed.proj.*`, `blocks.i.*`; with a stem `patch_embed.stem.i.*`.
 */
export function evaVit(p: Params, pixels: Tensor, config: VitConfig): Tensor {
  const { width: D, patchSize, depth, heads, mlpHidden, eps = 1e-6, stem = [] } = config;
  const B = pixels.dim(0);
  const tokens = vitTokens(config);
  const cells = convolutionalStem(p.at("patch_embed", "stem"), pixels, stem);
  const patches = patchEmbed(p.at("patch_embed", "proj"), cells, D, patchSize / 2 ** stem.length); // [B,P,D]
  const cls = p.get("cls_token", [1, 1, D], normal(0.02)).expand([B, 1, D]);
  let x = concat([cls, patches], 1).add(p.get("pos_embed", [1, tokens, D], normal(0.02)));
  p.tap("vit.embed", x);
  for (let i = 0; i < depth; i++) {
    x = block(p.at("blocks", i), x, { heads, hidden: mlpHidden, eps, qkvBias: "q-and-v" });
    p.tap(`vit.block.${i}`, x);
  }
  return p.tap("vit.out", x);
}

const STEM_GROUPS = 8;

/** Each level: a convolution of stride 2, then a residual block. x: [B,C,Y,X]. Keys `i.conv.*`, `i.block.*`. */
function convolutionalStem(p: Params, x: Tensor, channels: readonly number[]): Tensor {
  let h = x;
  for (const [i, width] of channels.entries()) {
    h = conv2d(p.at(i, "conv"), h, width, { kernel: 3, stride: 2 });
    h = resnet(p.at(i, "block"), h, { channels: width, groups: STEM_GROUPS, eps: 1e-5 });
  }
  return h;
}

/**
 * A convolution whose stride is its kernel, as one matrix product. pixels: [B,C,Y,X] -> [B,P,D].
 * Keys `weight` [D,C,patch,patch], and `bias` [D] unless there is none, as in CLIP.
 */
export function patchEmbed(p: Params, pixels: Tensor, D: number, patch: number, bias = true): Tensor {
  const [B, C, Y, X] = [pixels.dim(0), pixels.size(1), pixels.size(2), pixels.size(3)];
  const [rows, columns] = [Y / patch, X / patch];
  const cells = pixels.reshape([B, C, rows, patch, columns, patch]).transpose([0, 2, 4, 1, 3, 5]);
  const w = p.get("weight", [D, C, patch, patch], normal(0.02)).reshape([D, C * patch * patch]);
  return cells.reshape([B, rows * columns, C * patch * patch]).linear(w, bias ? p.get("bias", [D], zeros) : undefined);
}
