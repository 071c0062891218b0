import { expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { input, Params, paramAttrs } from "../graph/index.ts";
import { initialValues } from "../nn/index.ts";
import { evaluate } from "../runtime/reference.ts";
import { captionEncoder } from "./caption-encoder.ts";
import type { TextEncoderConfig } from "./clip.ts";

const config: TextEncoderConfig = {
  vocabulary: 9,
  maxPositions: 6,
  width: 8,
  depth: 2,
  heads: 2,
  intermediate: 16,
  activation: "gelu",
};

const p = new Params();
const { features, embedding } = captionEncoder(p, input("ids", [1, 6], "i32"), input("end", [1], "i32"), config, 4);
const read = (ids: number[], end: number): { features: number[]; embedding: number[] } => {
  const params = (path: string): Float32Array => {
    const { shape, init } = paramAttrs(p.declared().get(path)!);
    return initialValues(path, shape, init, 1);
  };
  const [f, e] = evaluate([features, embedding], { feeds: { ids, end: [end] }, params });
  return { features: [...f!.data], embedding: [...e!.data] };
};

test("keys are CLIP's, and every parameter learns", () => {
  const params = [...p.declared().values()];
  const names = [...p.declared().keys()];
  expect(names).toContain("text_model.encoder.layers.1.self_attn.q_proj.weight");
  expect(names).toContain("text_model.embeddings.position_embedding.weight");
  expect(names).toContain("clip.text_projection.weight");
  const grads = gradients(embedding.square().mean(), params);
  expect(params.filter((_, i) => !grads[i]).map((t) => paramAttrs(t).path)).toEqual([]);
});

test("the first words know what comes after them", () => {
  const [a, b] = [read([2, 5, 6, 7, 3, 0], 4), read([2, 5, 6, 8, 3, 0], 4)];
  expect(a.features.slice(0, 8)).not.toEqual(b.features.slice(0, 8));
});

test("what follows the end token changes nothing", () => {
  const [a, b] = [read([2, 5, 6, 3, 0, 0], 3), read([2, 5, 6, 3, 7, 8], 3)];
  expect(b.embedding).toEqual(a.embedding);
  expect(b.features.slice(0, 32)).toEqual(a.features.slice(0, 32));
});

test("order matters", () => {
  const [a, b] = [read([2, 5, 6, 7, 3, 0], 4).embedding, read([2, 7, 6, 5, 3, 0], 4).embedding];
  expect(Math.max(...a.map((x, i) => Math.abs(x - b[i]!)))).toBeGreaterThan(0.01);
});
