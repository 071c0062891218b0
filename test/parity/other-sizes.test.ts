/**
 * Fixture folders of other sizes than tiny-a's, recorded from our own graphs by the float64 reference executor: nothing
 * may depend on tiny-a's dims, and ONNX Runtime's float32 must stay within the bounds there too.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hashText, Rng } from "../../src/base/rng.ts";
import { checkParity, formatParity } from "../../src/evaluation/parity/parity.ts";
import { type Reference, stage1Case, stage2Case, v1Case, v2Case } from "../../src/evaluation/parity/parity-cases.ts";
import { parseParityConfig } from "../../src/evaluation/parity/parity-config.ts";
import { input, Params, type Tensor } from "../../src/graph/index.ts";
import { evaluate } from "../../src/runtime/reference.ts";
import { type TensorToWrite, writeSafetensors } from "../../src/weights/index.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parity-sizes-"));
});
afterAll(() => rm(folder, { recursive: true }));

const bert = { cross_attention_freq: 3, layer_norm_eps: 1e-12, activation: "gelu_erf" };
const vision = {
  ...{ image_size: 24, patch_size: 8, in_channels: 3, width: 20, depth: 1, heads: 5, mlp_hidden: 31 },
  ...{ layer_norm_eps: 1e-6, activation: "gelu_erf", qkv_bias: "q_and_v_only" },
};
const sizes = { hidden_size: 36, num_attention_heads: 3, intermediate_size: 17, ...bert };
const qformer = {
  ...{ ...sizes, num_hidden_layers: 5, encoder_width: 20, num_query_tokens: 32, causal: true },
  ...{ masked_score: -10000, vocab_size: null as number | null, max_position_embeddings: 9 },
};
const codec = {
  ...{ vision, qformer, ln_vision: { eps: 1e-5 } },
  quantizer: { n_embed: 11, embed_dim: 5, beta: 0.7, legacy: true },
  decoder: { depth: 1, num_heads: 6, mlp_ratio: 4, layer_norm_eps: 1e-6, activation: "gelu_erf", qkv_bias: true },
};
const reverse = { ...sizes, num_hidden_layers: 2, encoder_width: 36, causal: false };

/** Weights of a size that keeps activations near 1: norms around 1, matrices by fan-in. */
function weight(path: string, shape: readonly number[]): Float32Array {
  const rng = new Rng(hashText(path));
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
  const isNorm = /norm\d?\.weight$|LayerNorm\.weight$|ln_vision\.weight$/.test(path);
  const std = shape.length < 2 ? 0.2 : /embed|tokens/.test(path) ? 0.8 : fanIn ** -0.5;
  const center = isNorm ? 1 : path === "temp" ? 0.5 : 0;
  const length = shape.reduce((a, b) => a * b, 1);
  return Float32Array.from({ length }, () => center + (path === "temp" ? 0 : std * rng.normal()));
}

type Inputs = Record<string, { shape: readonly number[]; data: Float32Array | BigInt64Array }>;

function noise(name: string, shape: readonly number[]): Inputs[string] {
  const rng = new Rng(hashText(name));
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()) };
}

function integers(shape: readonly number[], f: (i: number) => number): Inputs[string] {
  const length = shape.reduce((a, b) => a * b, 1);
  return { shape, data: BigInt64Array.from({ length }, (_, i) => BigInt(f(i))) };
}

/** Runs a case in float64 and writes the folder as the official recorder does. */
async function record(
  section: string,
  config: object,
  files: Record<
    string,
    { inputs: Inputs; asked?: string[]; build: (p: Params, ref: Reference) => Record<string, Tensor> }
  >,
): Promise<void> {
  const path = join(folder, section);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "config.json"), JSON.stringify(config));
  const weights = new Map<string, TensorToWrite>();
  for (const [file, { inputs, asked = [], build }] of Object.entries(files)) {
    const p = new Params();
    const fed = new Map<string, Tensor>();
    const feed = (name: string): Tensor => {
      const { shape, data } = inputs[name]!;
      const made = fed.get(name) ?? input(name, shape, data instanceof Float32Array ? "f32" : "i32");
      fed.set(name, made);
      return made;
    };
    const out = build(p, { names: [...Object.keys(inputs), ...asked], feed });
    const params = (name: string) => weight(name, p.declared().get(name)!.shape as readonly number[]);
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, { data }]) => [name, Array.from(data, Number)]),
    );
    if (out["vq.indices"]) feeds["vq.indices"] = Array.from(evaluate([out["vq.indices"]], { feeds, params })[0]!.data);
    const values = evaluate(Object.values(out), { feeds, params });
    const tensors = Object.keys(out).map((name, i): TensorToWrite => {
      const { shape, data } = values[i]!;
      return name === "vq.indices"
        ? { name, dtype: "I64", shape, data: BigInt64Array.from(data, BigInt) }
        : { name, dtype: "F32", shape, data: Float32Array.from(data) };
    });
    for (const [name, { shape, data }] of Object.entries(inputs))
      if (name !== "vq.indices")
        tensors.push({ name, shape, data, dtype: data instanceof Float32Array ? "F32" : "I64" });
    await writeSafetensors(join(path, file), tensors);
    for (const [name, { shape }] of p.declared())
      weights.set(name, { name, dtype: "F32", shape: shape as readonly number[], data: params(name) });
  }
  await writeSafetensors(join(path, "model.safetensors"), weights.values());
}

test("v2 with either head, v1 and stage 1 of other sizes hold", async () => {
  const B = 3;
  const pixels = noise("pixels", [B, 3, 24, 24]);
  const codes = integers([B, 32], (i) => (i * 7) % 11);
  const images = { "input.pixel_values": pixels, "vq.indices": codes, "extra.indices": codes };

  const down = { dims: [36, 9, 8, 2], bias: false, activation: "relu" };
  const v2 = { ...codec, kind: "v2-inference", image_features_dim: 7 };
  const rootConfig = { ...v2, use_qformer_image: false, image_down: down };
  const root = parseParityConfig(JSON.stringify(rootConfig), "root").model;
  await record("", rootConfig, { "io.safetensors": { inputs: images, build: (p, ref) => v2Case(p, ref, root) } });

  const reverseConfig = { ...v2, use_qformer_image: true, reverse_qformer: { ...reverse, num_reverse_tokens: 1 } };
  const reversed = parseParityConfig(JSON.stringify(reverseConfig), "reverse").model;
  const targets = { "input.pixel_values": pixels, "input.clip_image_embeds": noise("target", [B, 7]) };
  const learned = [
    "quantize.embedding.weight",
    "encode_task_layer.0.weight",
    "blocks.0.mlp.fc1.weight",
    "reverse_tokens",
  ];
  await record("reverse", reverseConfig, {
    "io.safetensors": { inputs: images, build: (p, ref) => v2Case(p, ref, reversed) },
    "stage2.safetensors": {
      inputs: targets,
      asked: learned.map((name) => `grad.${name}`),
      build: (p, ref) => stage2Case(p, ref, reversed),
    },
  });

  const v1Config = {
    ...codec,
    kind: "v1-inference",
    text_features_dim: 5,
    reverse_qformer: { ...reverse, num_reverse_tokens: 13 },
  };
  const v1 = parseParityConfig(JSON.stringify(v1Config), "v1").model;
  await record("v1", v1Config, {
    "io.safetensors": { inputs: { "input.pixel_values": pixels }, build: (p, ref) => v1Case(p, ref, v1) },
  });

  const contrastive = { embed_dim: 10, label_smoothing: 0.2, image_feature: "last_query", text_feature: "first_token" };
  const stage1Config = { ...codec, kind: "stage1-training", qformer: { ...qformer, vocab_size: 23 }, contrastive };
  const stage1 = parseParityConfig(JSON.stringify(stage1Config), "stage1");
  const captions = {
    "input.pixel_values": noise("pixels1", [6, 3, 24, 24]),
    "input.text_ids": integers([6, 8], (i) => (i * 5) % 23),
    "input.text_mask": integers([6, 8], (i) => (i % 8 <= 2 + (i >> 3) ? 1 : 0)),
  };
  const both = ["query_tokens", "temp", "text_proj.weight", "Qformer.bert.embeddings.word_embeddings.weight"];
  const prefixes = ["world1.", "bothsides.", "world2.rank0.", "world2.rank1."];
  await record("stage1", stage1Config, {
    "io.safetensors": {
      inputs: captions,
      asked: prefixes.flatMap((prefix) => both.map((name) => `${prefix}grad.${name}`)),
      build: (p, ref) => stage1Case(p, ref, stage1.model, stage1.smoothing!),
    },
  });

  const report = await checkParity(folder);
  const bad = report.lines.filter(({ holds }) => !holds);
  expect(formatParity(report, bad)).toEqual([`all ${report.lines.length} hold`]);
  expect(report.lines.length).toBeGreaterThan(120);
  const codesInUse = report.lines.filter(({ name }) => name.endsWith("vq.indices"));
  expect(codesInUse.map(({ note }) => note)).toEqual(Array(3).fill("96 of 96 codes equal"));
});
