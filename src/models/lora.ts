/**
 * LoRA: the product of two low-rank matrices is added to a frozen linear layer. Hu et al. 2021, eq. 3; PEFT's key names.
 *
 * A model built with `LoraParams` instead of `Params` declares `lora_A.weight` and `lora_B.weight` at every target, and is
 * otherwise the same model. Which parameters learn is decided outside, by name.
 */
import { SeedlingError } from "../base/errors.ts";
import { hashText } from "../base/rng.ts";
import { constant, Params, type Tensor, uniform, zeros } from "../graph/index.ts";
import { type LinearOptions, linear } from "../nn/index.ts";

export interface LoraConfig {
  /** Inner width of the two matrices. */
  readonly rank: number;
  /** Their product is scaled by alpha / rank. */
  readonly alpha: number;
  /** Share of a layer's inputs that the low-rank path does not see in training. */
  readonly dropout: number;
  /** Linear layers by the last parts of their paths, for instance "q_proj", or by their whole paths. */
  readonly targets: readonly string[];
  /** Only in blocks with these indices; a whole path among the targets counts anyway. Default: in all. */
  readonly blocks?: readonly number[];
  /** Layers that are left out, named as in `targets`. */
  readonly excluded?: readonly string[];
}

/** As published for SEED-LLaMA: every projection of a Llama block. */
export const SEED_LORA: LoraConfig = {
  rank: 16,
  alpha: 32,
  dropout: 0.05,
  targets: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
};

/** The same for OPT, whose layers have other names. */
export const SEED_LORA_OPT: LoraConfig = {
  ...SEED_LORA,
  targets: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
};

export interface LoraTraining {
  /**
   * f32 [B,T,N], uniform in [0,1) and drawn again each step, N at least the widest input of a target. Each layer drops the
   * inputs whose noise falls into its own interval of length `dropout`. Without noise nothing is dropped.
   */
  readonly noise?: Tensor;
}

/** Parameters of a model with low-rank paths at its targets. */
export class LoraParams extends Params {
  readonly lora: LoraConfig;
  readonly training: LoraTraining;
  readonly #declared: Map<string, Tensor>;
  readonly #taps: Map<string, Tensor>;

  constructor(
    lora: LoraConfig,
    training: LoraTraining = {},
    path = "",
    declared = new Map<string, Tensor>(),
    taps = new Map<string, Tensor>(),
  ) {
    super(path, declared, taps);
    this.lora = lora;
    this.training = training;
    this.#declared = declared;
    this.#taps = taps;
  }

  override at(...names: (string | number)[]): LoraParams {
    return new LoraParams(this.lora, this.training, super.at(...names).path, this.#declared, this.#taps);
  }
}

/** `linear`, with a low-rank path if the scope is a target. x: f32 [...,in] -> [...,out]. */
export function project(p: Params, x: Tensor, out: number, options: LinearOptions = {}): Tensor {
  return addLowRank(p, x, linear(p, x, out, options));
}

/** Adds the low-rank path of x, f32 [...,in], to y, f32 [...,out], if the scope is a target. */
export function addLowRank(p: Params, x: Tensor, y: Tensor): Tensor {
  return p instanceof LoraParams && isTarget(p.path, p.lora) ? y.add(lowRank(p, x, y.size(-1))) : y;
}

/** PEFT's rule: whole paths first, then last parts of paths, limited to `blocks`. */
export function isTarget(path: string, { targets, blocks, excluded = [] }: LoraConfig): boolean {
  const named = (names: readonly string[]): boolean => names.some((name) => path.endsWith(`.${name}`));
  if (excluded.includes(path) || named(excluded)) return false;
  if (targets.includes(path)) return true;
  if (!named(targets)) return false;
  if (!blocks) return true;
  const block = /\.(\d+)\./.exec(path)?.[1];
  return block !== undefined && blocks.includes(Number(block));
}

/** True for the paths of low-rank matrices. */
export function isLoraPath(path: string): boolean {
  return /(^|\.)lora_[AB]\.weight$/.test(path);
}

/** scale B A x. Keys `lora_A.weight` [r,in], Kaiming-uniform with a = sqrt 5, and `lora_B.weight` [out,r], zero. */
function lowRank(p: LoraParams, x: Tensor, out: number): Tensor {
  const { rank, alpha } = p.lora;
  const a = p.at("lora_A").get("weight", [rank, x.size(-1)], uniform(x.size(-1) ** -0.5));
  const b = p.at("lora_B").get("weight", [out, rank], zeros);
  return dropout(p, x)
    .linear(a)
    .mul(alpha / rank)
    .linear(b);
}

/** Zero with probability `dropout`, else x / (1 - dropout). */
function dropout(p: LoraParams, x: Tensor): Tensor {
  const { noise } = p.training;
  const share = p.lora.dropout;
  if (!noise || share === 0) return x;
  const start = (hashText(p.path) / 2 ** 32) * (1 - share);
  const drawn = noise.slice(-1, 0, x.size(-1));
  const dropped = drawn
    .sub(start + share / 2)
    .abs()
    .less(share / 2);
  return dropped.where(constant(0), x.mul(1 / (1 - share)));
}

/** Weights by path, with their shapes. */
export type Weights = ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;

/**
 * W + scale B A, or with sign -1 W - scale B A, which undoes it up to rounding. weight: f32 [out,in] of the layer at
 * `path`; a layer without low-rank matrices is returned as it is.
 * @throws SeedlingError if the shapes of the adapter are not those of the layer.
 */
export function mergeLora(
  path: string,
  weight: Float32Array,
  adapter: Weights,
  { rank, alpha }: LoraConfig,
  sign: 1 | -1 = 1,
): Float32Array {
  const [a, b] = [adapter.get(`${path}.lora_A.weight`), adapter.get(`${path}.lora_B.weight`)];
  if (!a || !b) return weight;
  const [[, columns = 0], [rows = 0]] = [a.shape, b.shape];
  if (a.shape[0] !== rank || b.shape[1] !== rank || rows * columns !== weight.length)
    throw new SeedlingError(
      `${path}: expected an adapter for ${weight.length} weights with rank ${rank}, got A [${a.shape}] and B [${b.shape}]. Is it for another base?`,
      3,
    );
  const out = weight.slice();
  const scale = (sign * alpha) / rank;
  const row = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = b.data[i * rank + r]! * scale;
      if (factor !== 0) for (let j = 0; j < columns; j++) row[j]! += factor * a.data[r * columns + j]!;
    }
    for (let j = 0; j < columns; j++) out[i * columns + j]! += row[j]!;
  }
  return out;
}
