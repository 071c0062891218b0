import { expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { input, Params, paramAttrs, type Tensor } from "../graph/index.ts";
import { initialValues } from "../nn/index.ts";
import { evaluate } from "../runtime/reference.ts";
import { type PixArtConfig, pixart } from "./pixart.ts";

const config: PixArtConfig = {
  sampleSize: 4,
  inChannels: 3,
  outChannels: 2,
  patchSize: 2,
  numLayers: 2,
  numAttentionHeads: 2,
  attentionHeadDim: 4,
  activationFn: "gelu",
};
const captioned: PixArtConfig = {
  ...config,
  crossAttentionDim: 8,
  captionChannels: 6,
  activationFn: "gelu-approximate",
};

/** Names and shapes in diffusers 0.35 for these two sizes: the names of its state dict. */
test("keys are those of diffusers' PixArtTransformer2DModel", () => {
  const p = new Params();
  pixart(p, input("x", ["B", 3, 4, 4]), input("t", ["B"]), captioned, input("c", ["B", 5, 6]));
  const names = [...p.declared().keys()];
  const linear = (name: string): string[] => [`${name}.weight`, `${name}.bias`];
  const attention = (name: string): string[] =>
    ["to_q", "to_k", "to_v", "to_out.0"].flatMap((part) => linear(`${name}.${part}`));
  const block = (i: number): string[] => {
    const at = `transformer_blocks.${i}`;
    const parts = [...attention(`${at}.attn1`), ...attention(`${at}.attn2`)];
    return [`${at}.scale_shift_table`, ...parts, ...linear(`${at}.ff.net.0.proj`), ...linear(`${at}.ff.net.2`)];
  };
  const wanted = [
    ...["scale_shift_table", ...linear("pos_embed.proj"), ...linear("proj_out")],
    ...linear("adaln_single.emb.timestep_embedder.linear_1"),
    ...linear("adaln_single.emb.timestep_embedder.linear_2"),
    ...linear("adaln_single.linear"),
    ...linear("caption_projection.linear_1"),
    ...linear("caption_projection.linear_2"),
    ...[...block(0), ...block(1)],
  ];
  expect(names.sort()).toEqual(wanted.sort());
  expect(paramAttrs(p.declared().get("pos_embed.proj.weight")!).shape).toEqual([8, 3, 2, 2]);
  expect(paramAttrs(p.declared().get("proj_out.weight")!).shape).toEqual([8, 8]);
});

function run(outputs: Tensor[], p: Params, feeds: Record<string, number[]>, std = 0.5): number[][] {
  const params = (path: string): Float32Array =>
    initialValues(path, paramAttrs(p.declared().get(path)!).shape, { kind: "normal", std }, 1);
  return evaluate(outputs, { feeds, params }).map(({ data }) => Array.from(data));
}

test("every parameter learns, with and without a context", () => {
  for (const c of [config, captioned]) {
    const p = new Params();
    const context = c.crossAttentionDim ? input("c", [1, 5, 6]) : undefined;
    const y = pixart(p, input("x", [1, 3, 4, 4]), input("t", [1]), c, context);
    const params = [...p.declared().values()];
    const grads = gradients(y.square().mean(), params);
    expect(params.filter((_, i) => !grads[i])).toEqual([]);
  }
});

test("patches come back to where they were: what changes in one patch of a model without attention stays there", () => {
  const p = new Params();
  const none = { ...config, numLayers: 0 };
  const y = pixart(p, input("x", [1, 3, 4, 4]), input("t", [1]), none);
  const x = Array.from({ length: 48 }, (_, i) => Math.sin(i * i));
  const [before] = run([y], p, { x, t: [10] });
  const [after] = run([y], p, { x: x.with(4 * 1 + 2, 5), t: [10] }); // row 1, column 2: the patch at the top right
  const changed = before!.flatMap((v, i) => (v === after![i] ? [] : [i]));
  const patch = [0, 1].flatMap((channel) => [2, 3, 6, 7].map((place) => channel * 16 + place));
  expect(changed).toEqual(patch);
});

test("the same patch elsewhere, another time or another context give other answers", () => {
  const p = new Params();
  const y = pixart(p, input("x", [1, 3, 4, 4]), input("t", [1]), captioned, input("c", [1, 5, 6]));
  const c = Array.from({ length: 30 }, (_, i) => Math.cos(i));
  const [flat] = run([y], p, { x: Array(48).fill(0.5), t: [10], c });
  expect(flat![0]).not.toBeCloseTo(flat![2]!, 4); // next column of patches
  expect(flat![0]).not.toBeCloseTo(flat![8]!, 4); // next row
  expect(flat![2]).not.toBeCloseTo(flat![8]!, 4);
  expect(run([y], p, { x: Array(48).fill(0.5), t: [900], c })[0]![0]).not.toBeCloseTo(flat![0]!, 4);
  expect(run([y], p, { x: Array(48).fill(0.5), t: [10], c: c.map((v) => -v) })[0]![0]).not.toBeCloseTo(flat![0]!, 4);
});

test("sizes that do not fit are named", () => {
  const [t, c] = [input("t", ["B"]), input("c", ["B", 5, 6])];
  expect(() => pixart(new Params(), input("x", ["B", 2, 4, 4]), t, config)).toThrow(
    "pixart: expected latents f32 [B,3,4,4] in whole patches of 2, got [B,2,4,4].",
  );
  expect(() => pixart(new Params(), input("x", ["B", 3, 4, 4]), t, config, c)).toThrow(
    "pixart: expected no context, got [B,5,6]. Check PixArtConfig.crossAttentionDim.",
  );
  expect(() => pixart(new Params(), input("x", ["B", 3, 4, 4]), t, captioned)).toThrow(
    "pixart: expected a context f32 [B,S,6], got none. Check PixArtConfig.crossAttentionDim.",
  );
});
