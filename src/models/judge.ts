/**
 * A judge of pictures: a small convolutional network that predicts which objects are where and which colors are behind them.
 * It learns from real scenes only and nothing is trained against it, so that it can tell how much of a scene decoded and drawn
 * pictures still show. Objects as points: CenterNet, Zhou et al. 2019 (arXiv 1904.07850). Ours.
 */
import { z } from "zod";
import { ShapeError } from "../base/errors.ts";
import { parseWith } from "../base/parse-with.ts";
import { normal, type Params, type Tensor } from "../graph/index.ts";
import { conv2d, groupNorm, linear } from "../nn/index.ts";
import { foldPixels } from "./fold-pixels.ts";
import { resnet } from "./resnet2d.ts";

export interface JudgeConfig {
  /** Side of the pictures, px; a multiple of 16. */
  readonly size: number;
  /** Channels at a half, a quarter and an eighth of the size; multiples of `groups`. */
  readonly widths: readonly [number, number, number];
  /** Groups of each group norm. */
  readonly groups: number;
  /** Names of the objects that it knows. */
  readonly nouns: readonly string[];
  /** Names of the background colors that it knows. */
  readonly backgrounds: readonly string[];
}

const count = z.int().min(1).max(4096);
const name = z.string().min(1).max(100);

/** Content of judge.json: the sizes, the names, and the lowest probability at which a center counts. */
export const parseJudge = parseWith(
  z.strictObject({
    format: z.literal("seedling-judge-1"),
    size: count.multipleOf(16),
    widths: z.tuple([count, count, count]),
    groups: count,
    nouns: z.array(name).min(1).max(10_000),
    backgrounds: z.array(name).min(1).max(100),
    threshold: z.number().min(0).max(1),
  }),
);

/** File of a judge's folder with its sizes and names. */
export const JUDGE_FILE = "judge.json";
/** Name prefix of its parameters. */
export const JUDGE = "judge";
/** Pixels per side of a cell in which a center is looked for. */
export const JUDGE_CELL = 4;

export interface JudgeOutput {
  /** f32 [B,N,size/4,size/4], logits: the center of an object of noun n is in this cell. */
  readonly centers: Tensor;
  /** f32 [B,2,K], logits of the colors at the top left and at the bottom right. */
  readonly background: Tensor;
  /** f32 [B,C], the mean of the deepest features: what pictures are compared by. */
  readonly features: Tensor;
}

const EPS = 1e-6;
/** Few cells hold a center: a new network predicts 1.8 %, much as in RetinaNet (Lin et al. 2017, 4.1). */
export const RARE_CENTER = 4;

/**
 * pixels: f32 [B,3,size,size] within 0..1. 0.34 GFLOP for 48 nouns at 64 px with widths 48, 96, 160.
 * @throws ShapeError for pictures of another size
 */
export function judge(
  p: Params,
  pixels: Tensor,
  { size, widths, groups, nouns, backgrounds }: JudgeConfig,
): JudgeOutput {
  if (pixels.size(2) !== size || pixels.size(3) !== size || size % 16 !== 0)
    throw new ShapeError(`judge: expected pixels [B,3,${size},${size}], a multiple of 16, got [${pixels.shape}].`);
  const [half, quarter, eighth] = widths;
  const active = (name: string, x: Tensor): Tensor => groupNorm(p.at(name), x, groups, EPS).silu();
  const residual = (name: string, x: Tensor): Tensor =>
    resnet(p.at(name), x, { channels: x.size(1), groups, eps: EPS });
  const folded = foldPixels(pixels.mul(2).sub(1), 2); // [B,12,size/2,size/2]
  let x = conv2d(p.at("in"), folded, half, { kernel: 3 });
  x = conv2d(p.at("down1"), active("norm1", x), quarter, { kernel: 3, stride: 2 });
  x = residual("block1", x); // [B,quarter,size/4,size/4]
  let deep = conv2d(p.at("down2"), active("norm2", x), eighth, { kernel: 3, stride: 2 });
  deep = residual("block3", residual("block2", deep)); // [B,eighth,size/8,size/8]
  deep = active("norm3", deep);
  x = x.add(conv2d(p.at("up"), deep, quarter, { kernel: 1 }).upsample(2));
  x = active("norm4", residual("block4", x));
  const centers = conv2d(p.at("centers"), x, nouns.length, { kernel: 1 }).sub(RARE_CENTER);
  const background = corners(p.at("background"), deep, backgrounds.length);
  return { centers, background, features: deep.mean([2, 3]) };
}

/** Colors of both corners from means of 2 x 2 cells. deep: f32 [B,C,Y,X] -> [B,2,K]. */
function corners(p: Params, deep: Tensor, colors: number): Tensor {
  const [B, C, Y, X] = [deep.dim(0), deep.size(1), deep.size(2) / 2, deep.size(3) / 2];
  const means = deep.reshape([B, C, Y, 2, X, 2]).mean([3, 5]); // [B,C,Y,X]
  const flat = means.reshape([B, C * Y * X]);
  return linear(p, flat, 2 * colors, { init: normal((C * Y * X) ** -0.5) }).reshape([B, 2, colors]);
}
