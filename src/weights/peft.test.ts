import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readJsonFile } from "../io/json-file.ts";
import { readLmConfig } from "../models/lm-config.ts";
import { isTarget } from "../models/lora.ts";
import { openCheckpoint } from "./model-folder.ts";
import { type Adapter, readPeftFolder, writePeftFolder } from "./peft.ts";
import { expectBase, mergeAdapter } from "./peft-base.ts";
import { writeSafetensors } from "./safetensors-write.ts";

const fixture = "test/fixtures/llm/lora";
let folder: string;
let adapter: Adapter;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "peft-"));
  adapter = await readPeftFolder(fixture);
});
afterAll(() => rm(folder, { recursive: true }));

describe("PEFT folders", () => {
  it("that PEFT has written are read", () => {
    const { targets, ...sizes } = adapter.lora;
    expect(sizes).toEqual({ rank: 4, alpha: 8, dropout: 0.05 });
    expect([...targets].sort().join()).toBe("down_proj,gate_proj,k_proj,o_proj,q_proj,up_proj,v_proj");
    expect(adapter.firstAddedToken).toBe(40);
    expect(adapter.weights.get("model.embed_tokens.added")!.shape).toEqual([2, 16]);
    expect(adapter.weights.get("lm_head.added")!.shape).toEqual([2, 16]);
    expect(adapter.weights.get("model.norm.weight")!.shape).toEqual([16]);
    expect(adapter.weights.get("model.layers.1.mlp.up_proj.lora_A.weight")!.shape).toEqual([4, 16]);
  });

  it("are written with PEFT's own names and settings, and come back", async () => {
    const path = join(folder, "copy");
    await writePeftFolder(path, { ...adapter, base: "base", baseHash: "abc" });
    expect(await readPeftFolder(path)).toEqual({ ...adapter, base: "base", baseHash: "abc" });
    const [ours, theirs] = await Promise.all(
      [path, fixture].map((f) => openCheckpoint(join(f, "adapter_model.safetensors"))),
    );
    expect([...ours!.tensors.keys()].sort()).toEqual([...theirs!.tensors.keys()].sort());
    await Promise.all([ours!.close(), theirs!.close()]);
    const [own, python] = (await Promise.all(
      [path, fixture].map((f) => readJsonFile(join(f, "adapter_config.json"))),
    )) as Record<string, unknown>[];
    const sorted = (value: unknown): unknown => (Array.isArray(value) ? [...value].sort() : value);
    for (const key of Object.keys(own!).filter((name) => name !== "base_model_name_or_path"))
      expect([key, sorted(own![key])]).toEqual([key, sorted(python![key])]);
  });

  it("say what they cannot hold", async () => {
    const path = "model.layers.0.mlp.up_proj.lora_A.weight";
    const stray = { ...adapter, lora: { ...adapter.lora, targets: ["q_proj"] } };
    await expect(writePeftFolder(join(folder, "stray"), stray)).rejects.toThrow(
      `expected low-rank matrices at q_proj, got "model.layers.0`,
    );
    expect(adapter.weights.has(path)).toBe(true);
  });

  it.each<[string, unknown, string]>([
    ["peft_type", "IA3", 'peft_type: Invalid input: expected "LORA"'],
    ["use_dora", true, "use_dora"],
    ["use_rslora", true, "use_rslora"],
    ["bias", "all", "bias"],
    ["rank_pattern", { q_proj: 8 }, "rank_pattern"],
    ["target_modules", "all-linear", "target_modules"],
    ["use_qalora", true, "use_qalora"],
    ["layers_pattern", ["h"], "layers_pattern"],
    ["init_lora_weights", "pissa", "init_lora_weights"],
    ["megatron_config", { x: 1 }, "megatron_config"],
    ["layer_replication", [[0, 1]], 'expected known settings, got "layer_replication" = a list of 1.'],
    ["arrow_config", { top_k: 3 }, '"arrow_config" = an object'],
    ["a_new_scale", 0.5, '"a_new_scale" = 0.5'],
    ["modules_to_save", ["norm", "score"], 'expected weights of "score", which modules_to_save lists, found none.'],
    ["trainable_token_indices", null, "expected rows of no new tokens, as trainable_token_indices lists, got 2."],
    [
      "trainable_token_indices",
      { embed_tokens: [40, 41], lm_head: [40] },
      "expected 2 token ids for each module, got 1.",
    ],
    ["trainable_token_indices", { embed_tokens: [40, 42] }, "expected consecutive token ids from 40, got 42 at 1."],
    ["trainable_token_indices", { embed_tokens: [40, 41], lm_head: [41, 42] }, "from 40, got 41 at 0."],
  ])("with %s = %j are refused", async (key, value, message) => {
    const path = join(folder, "refused");
    await writePeftFolder(path, adapter);
    const config = JSON.parse(await readFile(join(path, "adapter_config.json"), "utf8"));
    await writeFile(join(path, "adapter_config.json"), JSON.stringify({ ...config, [key]: value }));
    await expect(readPeftFolder(path)).rejects.toThrow(message);
  });

  it("with names of another kind are refused", async () => {
    const path = join(folder, "names");
    await writePeftFolder(path, adapter);
    await writeSafetensors(join(path, "adapter_model.safetensors"), [
      { name: "down.weight", dtype: "F32", shape: [1], data: Float32Array.of(1) },
    ]);
    await expect(readPeftFolder(path)).rejects.toThrow(
      'expected names that start with base_model.model., got "down.weight".',
    );
  });
});

describe("adapter and base", () => {
  const base = async (): Promise<Parameters<typeof expectBase>[1]> => {
    const config = readLmConfig(await readJsonFile("test/fixtures/llm/llama/config.json"), "llama");
    return { path: "llama", hash: "h", config };
  };
  /** The adapter with some of its tensors changed or, where undefined, removed. */
  const changed = (changes: Record<string, readonly number[] | undefined>): Adapter => {
    const weights = new Map(adapter.weights);
    for (const [path, shape] of Object.entries(changes))
      if (!shape) weights.delete(path);
      else weights.set(path, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
    return { ...adapter, weights };
  };

  it("that belong together pass", async () => {
    const own = await base();
    expect(() => expectBase(adapter, own)).not.toThrow();
    expect(() => expectBase({ ...adapter, baseHash: "h" }, own)).not.toThrow();
  });

  it("that do not are named: hash, vocabulary, sizes", async () => {
    const own = await base();
    expect(() => expectBase({ ...adapter, baseHash: "other" }, own)).toThrow(
      "llama: expected the base of the adapter (hash other), got another (h). Name the right base.",
    );
    const larger = { ...own, config: { ...own.config, vocabulary: 41 } };
    expect(() => expectBase(adapter, larger)).toThrow("expected a base of 40 tokens, which the adapter's new tokens");
    const wider = { ...own, config: { ...own.config, intermediate: 32 } };
    expect(() => expectBase(adapter, wider)).toThrow(/down_proj.lora_A.weight" is \[4,\d+\], the model takes \[4,32\]/);
    const shorter = { ...own, config: { ...own.config, layers: 1 } };
    expect(() => expectBase(adapter, shorter)).toThrow(
      /"model\.layers\.1\.[a-z_.]*" has no place in the model; .*; and \d+ more\. Name its own base/,
    );
  });

  it.each<[string, Record<string, readonly number[] | undefined>, string]>([
    ["another rank", { "model.layers.0.mlp.up_proj.lora_A.weight": [3, 16] }, "is [3,16], the model takes [4,16]"],
    ["a missing half", { "model.layers.0.mlp.up_proj.lora_B.weight": undefined }, '_proj.lora_B.weight" is missing'],
    ["rows of the embeddings only", { "lm_head.added": undefined }, '"lm_head.added" is missing'],
    ["embeddings with LoRA", { "model.embed_tokens.lora_embedding_A": [4, 40] }, '_A" has no place in the model'],
    ["biases", { "model.layers.0.mlp.up_proj.bias": [24] }, '"model.layers.0.mlp.up_proj.bias" has no place'],
    ["LoRA next to its targets", { "lm_head.lora_A.weight": [4, 16] }, '"lm_head.lora_A.weight" has no place'],
  ])("do not fit with %s", async (_, changes, message) => {
    const own = await base();
    expect(() => expectBase(changed(changes), own)).toThrow(message);
  });

  it("a choice of blocks and of modules is PEFT's", () => {
    const at = (path: string, more: object): boolean =>
      isTarget(path, { ...adapter.lora, targets: ["q_proj", "lm_head", "model.layers.0.mlp.up_proj"], ...more });
    const blocks = { blocks: [1] };
    expect(at("model.layers.1.self_attn.q_proj", blocks)).toBe(true);
    expect(at("model.layers.0.self_attn.q_proj", blocks)).toBe(false);
    expect(at("model.layers.0.mlp.up_proj", blocks)).toBe(true); // a whole path counts anyway
    expect(at("model.layers.1.mlp.up_proj", blocks)).toBe(false);
    expect(at("lm_head", blocks)).toBe(true);
    expect(at("lm_head", { excluded: ["lm_head"] })).toBe(false);
    expect(at("model.layers.0.self_attn.q_proj", { excluded: ["q_proj"] })).toBe(false);
  });

  it("merging refuses what the base's file has no weight for", async () => {
    const file = await openCheckpoint("test/fixtures/llm/llama-tied");
    const head = changed({ "lm_head.lora_A.weight": [4, 16] });
    expect(() => mergeAdapter(file, head, "F32")).toThrow("merging: expected a weight of the base for");
    await file.close();
  });

  it("merge: new rows after the old, norms replaced, products added, the rest as it was", async () => {
    const file = await openCheckpoint("test/fixtures/llm/llama");
    const path = join(folder, "merged.safetensors");
    await writeSafetensors(path, mergeAdapter(file, adapter, "F32"));
    const merged = await openCheckpoint(path);
    expect(merged.tensors.get("lm_head.weight")!.shape).toEqual([42, 16]);
    const head = await merged.readFloat32("lm_head.weight");
    expect(head.subarray(0, 640)).toEqual(await file.readFloat32("lm_head.weight"));
    expect(head.subarray(640)).toEqual(adapter.weights.get("lm_head.added")!.data);
    expect(await merged.readFloat32("model.norm.weight")).toEqual(adapter.weights.get("model.norm.weight")!.data);
    const name = "model.layers.0.mlp.up_proj";
    const [w, m] = [await file.readFloat32(`${name}.weight`), await merged.readFloat32(`${name}.weight`)];
    const [a, b] = ["A", "B"].map((letter) => adapter.weights.get(`${name}.lora_${letter}.weight`)!.data);
    let sum = 0;
    for (let r = 0; r < 4; r++) sum += b![5 * 4 + r]! * a![r * 16 + 3]!;
    expect(m[5 * 16 + 3]).toBeCloseTo(w[5 * 16 + 3]! + 2 * sum, 5);
    await Promise.all([file.close(), merged.close()]);
  });
});
