/** Gradients of whole layers as convolutional and transformer decoders have them, against differences. */
import { describe, it } from "vitest";
import { concat, constant, full, input, Params, sortNodes, type Tensor } from "../../src/graph/index.ts";
import { paramAttrs } from "../../src/graph/params.ts";
import { apply } from "../../src/graph/tensor.ts";
import { type Activation, attend, causalMask, conv2d, groupNorm, mlp, paddingMask } from "../../src/nn/index.ts";
import { checkGradients } from "./check.ts";

type Layer = (p: Params, x: Tensor, other: Tensor) => Tensor;

/** The gradients of a layer in its input, in what it is conditioned on, and in its parameters. */
function check(shape: readonly number[], other: readonly number[], layer: Layer): void {
  const declared = new Params();
  layer(declared, input("x", shape), input("other", other));
  const params = [...declared.declared().values()].map(paramAttrs);
  checkGradients([shape, other, ...params.map((p) => p.shape)], ([x, y, ...weights]) => {
    const p = new Params();
    const out = layer(p, x!, y!);
    return replaced(out, new Map(params.map(({ path }, i) => [path, weights[i]!])));
  });
}

/** The same graph with inputs in place of its parameters. */
function replaced(out: Tensor, weights: ReadonlyMap<string, Tensor>): Tensor {
  const made = new Map<Tensor, Tensor>();
  for (const node of sortNodes([out])) {
    const inputs = node.inputs.map((t) => made.get(t)!);
    const weight = node.op === "param" ? weights.get(paramAttrs(node.outputs[0]!).path) : undefined;
    const outputs = weight ? [weight] : inputs.length > 0 ? apply(node.op, inputs, node.attrs) : node.outputs;
    for (const [i, t] of node.outputs.entries()) made.set(t, outputs[i]!);
  }
  return made.get(out)!;
}

/** Rows r² C channels of [B,r²C,Y,X] as r x r pixels. */
function pixelShuffle(x: Tensor, r: number): Tensor {
  const [B, C, Y, X] = [x.dim(0), x.size(1) / r ** 2, x.size(2), x.size(3)];
  const pixels = x.reshape([B, C, r, r, Y, X]).transpose([0, 1, 4, 2, 5, 3]);
  return pixels.reshape([B, C, Y * r, X * r]);
}

const layers: readonly (readonly [string, readonly number[], readonly number[], Layer])[] = [
  [
    "a residual block: GroupNorm, SiLU, convolutions, a vector a channel",
    [1, 4, 3, 2],
    [1, 4],
    (p, x, time) => {
      const h = conv2d(p.at("conv1"), groupNorm(p.at("norm1"), x, 2, 1e-5).silu(), 4, { kernel: 3 });
      const mid = h.add(time.reshape([1, 4, 1, 1]));
      return x.add(conv2d(p.at("conv2"), groupNorm(p.at("norm2"), mid, 2, 1e-5).silu(), 4, { kernel: 3 }));
    },
  ],
  [
    "down by a stride, up by copies, next to a skip",
    [1, 2, 4, 4],
    [1, 2, 4, 4],
    (p, x, skip) => {
      const down = conv2d(p.at("down"), x, 3, { kernel: 3, stride: 2 }).silu();
      return conv2d(p.at("up"), concat([down.upsample(2), skip], 1), 2, { kernel: 3 });
    },
  ],
  [
    "pixel shuffle",
    [1, 2, 2, 3],
    [1, 1, 4, 6],
    (p, x, y) => pixelShuffle(conv2d(p.at("conv"), x, 4, { kernel: 1 }), 2).mul(y),
  ],
  [
    "an adaptive norm: shift and scale from a vector",
    [2, 3, 4],
    [2, 8],
    (_, x, vector) => {
      const [shift, scale] = [0, 4].map((start) => vector.slice(1, start, start + 4).reshape([2, 1, 4]));
      const normed = x.layerNorm(full([4], 1), full([4], 0), 1e-5);
      return normed.mul(scale!.add(1)).add(shift!);
    },
  ],
  [
    "cross-attention with padding",
    [2, 2, 4],
    [2, 3, 4],
    (_, x, y) => attend(x, y.mul(0.7), y, 2, paddingMask(constant(Int32Array.of(1, 1, 0, 1, 1, 1), [2, 3]), -8)),
  ],
  ["causal attention", [1, 3, 4], [1, 3, 4], (_, x, y) => attend(x, y, x.add(y), 2, causalMask(3, -8))],
  ["instance norm", [2, 2, 2, 3], [2], (_, x, b) => x.groupNorm(b, b, { groups: 2, eps: 1e-3 })],
  [
    "a mask over parts",
    [2, 4],
    [2, 4],
    (_, x, y) => concat([x.slice(1, 0, 2), x.less(y).where(x.mul(y), y.sin()).slice(1, 2, 4)], 1),
  ],
  ...(["gelu", "silu", "squared-relu"] as const).map(
    (activation: Activation) =>
      [
        `an MLP with ${activation}`,
        [2, 3],
        [2, 3],
        (p: Params, x: Tensor, y: Tensor) => mlp(p, x, 5, activation).add(y),
      ] as const,
  ),
];

describe("layers", () => {
  it.each(layers)("%s", (_, shape, other, layer) => check(shape, other, layer));
});
