import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { CheckpointError, InputError } from "../base/errors.ts";
import { readJsonFile } from "../io/json-file.ts";
import { readLmConfig } from "../models/lm-config.ts";
import { LmTokenizer } from "../text/index.ts";
import { type GgufFile, openGguf, parseGguf } from "./gguf.ts";
import { unpackGguf } from "./gguf-folder.ts";
import { expectGgufLlama, ggufLlamaConfig, ggufToHuggingFace, huggingFaceToGguf, readGgufLlama } from "./gguf-llama.ts";
import { ggufTokenizer, openGgufTokenizer } from "./gguf-tokenizer.ts";
import { openCheckpoint } from "./model-folder.ts";

const root = "test/fixtures/llm";
let formats: Uint8Array<ArrayBuffer>;
let model: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  formats = new Uint8Array(await readFile(join(root, "gguf/formats.gguf")));
  model = new Uint8Array(await readFile(join(root, "gguf/llama.gguf")));
});

/** A file written by hand: version, tensor entries as bytes, key-value pairs as bytes. */
function file(pairs: Uint8Array[], entries: Uint8Array[] = [], version = 3): Uint8Array {
  return join8([text4("GGUF"), u32(version), u64(entries.length), u64(pairs.length), ...pairs, ...entries]);
}
const join8 = (parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const text4 = (s: string): Uint8Array => new TextEncoder().encode(s);
const u32 = (n: number): Uint8Array => new Uint8Array(Uint32Array.of(n).buffer);
const u64 = (n: number | bigint): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt(n)).buffer);
const text = (s: string): Uint8Array => join8([u64(s.length), text4(s)]);
const tensor = (name: string, dims: number[], type: number, offset = 0): Uint8Array =>
  join8([text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset)]);

describe("GGUF files", () => {
  it.each(["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K"])(
    "%s gives the numbers of ggml's own code",
    async (name) => {
      const gguf = await parseGguf(formats, "formats.gguf");
      const expected = await openCheckpoint(join(root, "gguf/formats.safetensors"));
      expect(gguf.tensors.get(name)).toMatchObject({ type: name, shape: [3, 256] });
      expect(await gguf.readFloat32(name)).toEqual(await expected.readFloat32(name));
      await expected.close();
    },
  );

  it("metadata of every kind", async () => {
    const { metadata } = await parseGguf(formats, "formats.gguf");
    expect(metadata.get("general.architecture")).toBe("llama");
    expect(metadata.get("test.number")).toBe(7);
    expect(metadata.get("test.list")).toEqual(["a", "bé"]);
    expect(metadata.get("test.flag")).toBe(true);
    expect(metadata.get("test.double")).toBe(0.25);
  });

  it("are read from disk by range", async () => {
    const gguf = await openGguf(join(root, "gguf/llama.gguf"));
    expect((await gguf.readFloat32("output_norm.weight")).length).toBe(16);
    await gguf.close();
  });

  it.each<[string, () => Uint8Array, string]>([
    [
      "other bytes",
      () => text4("PK\x03\x04......."),
      "x.gguf: expected a GGUF file, got other bytes. Name a .gguf file.",
    ],
    ["no bytes", () => new Uint8Array(0), "expected a GGUF file"],
    ["another version", () => file([], [], 9), "x.gguf: expected GGUF version 2 or 3, got 9. Convert the file again."],
    [
      "a cut header",
      () => formats.slice(0, 400),
      "x.gguf: damaged GGUF file: the header is cut short. Copy the file again.",
    ],
    ["cut data", () => formats.slice(0, -40), "are not inside the file of"],
    [
      "a huge count",
      () => join8([text4("GGUF"), u32(3), u64(2 ** 50), u64(0)]),
      `a claim of ${2 ** 50} tensors in 24 bytes`,
    ],
    ["a huge text", () => file([join8([u64(2 ** 45), text4("a long text")])]), `a claim of ${2 ** 45} bytes of text`],
    [
      "a count beyond 2^53",
      () => join8([text4("GGUF"), u32(3), u64(2n ** 63n), u64(0)]),
      "a claim of 9223372036854776000 for tensors",
    ],
    ["an unknown value", () => file([join8([text("a"), u32(77), u64(0)])]), "a value of unknown type 77"],
    [
      "a key twice",
      () => file([join8([text("a"), u32(4), u32(1)]), join8([text("a"), u32(4), u32(1)])]),
      'duplicate key "a"',
    ],
    [
      "a tensor twice",
      () => join8([file([], [tensor("t", [1], 0), tensor("t", [1], 0)]), new Uint8Array(64)]),
      'duplicate tensor "t"',
    ],
    [
      "an unknown format",
      () => join8([file([], [tensor("t", [32], 20)]), new Uint8Array(64)]),
      "expected numbers stored as F32, F16, BF16, Q4_0, Q4_1, Q8_0, Q4_K, Q6_K, got type 20",
    ],
    [
      "broken blocks",
      () => join8([file([], [tensor("t", [16, 2], 2)]), new Uint8Array(64)]),
      '"t" has rows of 16 numbers, not a multiple of 32',
    ],
    ["a huge shape", () => file([], [tensor("t", [2 ** 40, 2 ** 40], 0)]), 'of "t" are not inside the file of'],
    ["five axes", () => file([], [tensor("t", [1, 1, 1, 1, 1], 0)]), '"t" claims 5 axes'],
    [
      "an odd alignment",
      () => file([join8([text("general.alignment"), u32(4), u32(24)])]),
      "expected a power of two as general.alignment",
    ],
  ])("%s give one clear error", async (_, bytes, message) => {
    await expect(parseGguf(bytes(), "x.gguf")).rejects.toThrow(message);
  });

  it("damaged anywhere, give numbers or one clear error and nothing else", async () => {
    const edit = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    const damage = fc.tuple(fc.boolean(), fc.array(edit, { minLength: 1, maxLength: 6 }), fc.option(fc.nat()));
    await fc.assert(
      fc.asyncProperty(damage, async ([first, edits, cut]) => {
        const bytes = (first ? formats : model).slice();
        for (const [at, byte] of edits) bytes[at % 1500] = byte;
        try {
          const gguf = await parseGguf(cut === null ? bytes : bytes.subarray(0, cut % bytes.length), "x.gguf");
          for (const name of gguf.tensors.keys()) await gguf.readFloat32(name);
          ggufLlamaConfig(gguf);
          ggufTokenizer(gguf);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError); // CheckpointError is one
          expect((error as Error).message).not.toContain("\n");
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe("Llama in GGUF", () => {
  let gguf: GgufFile;
  beforeAll(async () => {
    gguf = await parseGguf(model, "llama.gguf");
  });

  it("has the sizes of the folder it was made of", async () => {
    const folder = readLmConfig(await readJsonFile(join(root, "llama/config.json")), "llama");
    const config = ggufLlamaConfig(gguf);
    expect({ ...config, eps: Math.round(config.eps * 1e12) / 1e12 }).toEqual(folder);
  });

  it("has its weights, bit for bit, under its names", async () => {
    const folder = await openCheckpoint(join(root, "llama"));
    const config = ggufLlamaConfig(gguf);
    expect([...gguf.tensors.keys()].map((name) => ggufToHuggingFace(name)).sort()).toEqual(
      [...folder.tensors.keys()].sort(),
    );
    for (const name of folder.tensors.keys())
      expect(await readGgufLlama(gguf, name, config)).toEqual(await folder.readFloat32(name));
    await folder.close();
    await expect(readGgufLlama(gguf, "model.layers.9.mlp.up_proj.weight", config)).rejects.toThrow(CheckpointError);
  });

  it("is unpacked into a folder like the one it was made of", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gguf-"));
    await unpackGguf(join(root, "gguf/llama.gguf"), folder);
    const [ours, theirs] = [await openCheckpoint(folder), await openCheckpoint(join(root, "llama"))];
    expect([...ours.tensors.keys()].sort()).toEqual([...theirs.tensors.keys()].sort());
    for (const name of theirs.tensors.keys())
      expect(await ours.readFloat32(name)).toEqual(await theirs.readFloat32(name));
    expect(readLmConfig(await readJsonFile(join(folder, "config.json")), "c")).toMatchObject({ layers: 2, kvHeads: 2 });
    expect((await LmTokenizer.open(folder)).eos).toBe(2);
    await Promise.all([ours.close(), theirs.close(), rm(folder, { recursive: true })]);
  });

  it("names go both ways", () => {
    for (const name of gguf.tensors.keys()) expect(huggingFaceToGguf(ggufToHuggingFace(name)!)).toBe(name);
    expect(ggufToHuggingFace("rope_freqs.weight")).toBeUndefined();
    expect(huggingFaceToGguf("model.layers.0.self_attn.rotary.weight")).toBeUndefined();
  });

  it("has a tokenizer that gives the ids of the Python library", async () => {
    const { json, config } = ggufTokenizer(gguf);
    const tokenizer = new LmTokenizer(json, config);
    const expected = (await readJsonFile(join(root, "gguf/tokens.json"))) as Record<string, number[]>;
    for (const [line, ids] of Object.entries(expected)) expect(tokenizer.encodeWithTokens(line)).toEqual(ids);
    expect([tokenizer.bos, tokenizer.eos]).toEqual([1, 2]);
  });

  it.each<[Record<string, unknown>, number | undefined]>([
    [{ "llama.rope.scaling.factor": 2 }, 2],
    [{ "llama.rope.scale_linear": 4 }, 4],
    [{ "llama.rope.scaling.factor": 2, "llama.rope.scale_linear": 4, "llama.rope.scaling.type": "linear" }, 2],
    [{ "llama.rope.scaling.factor": 2, "llama.rope.scaling.type": "none" }, undefined],
    [{ "llama.rope.scale_linear": 0 }, undefined],
    [{ "llama.attention.sliding_window": 0, "llama.expert_count": 0, "publisher.note": 1 }, undefined],
  ])("%j divides frequencies by %s", (more, factor) => {
    const metadata = new Map([...gguf.metadata, ...Object.entries(more)]) as GgufFile["metadata"];
    expect(ggufLlamaConfig({ ...gguf, metadata }).ropeScaling).toEqual(factor && { kind: "linear", factor });
  });

  it("has no tensor that the model lacks, and none is missing", () => {
    const config = ggufLlamaConfig(gguf);
    expect(() => expectGgufLlama(gguf, config)).not.toThrow();
    const odd = new Map([...gguf.tensors, ["blk.0.attn_q_norm.weight", gguf.tensors.get("output_norm.weight")!]]);
    expect(() => expectGgufLlama({ ...gguf, tensors: odd }, config)).toThrow(
      '"blk.0.attn_q_norm.weight" is not part of the model',
    );
    odd.delete("blk.1.ffn_up.weight");
    expect(() => expectGgufLlama({ ...gguf, tensors: odd }, config)).toThrow(
      '"model.layers.1.mlp.up_proj.weight" is missing',
    );
  });

  it("of another kind takes the tokenizer.json next to it, if that is its own", async () => {
    const spm = await openGguf("test/fixtures/lm-cases/gguf-spm/m.gguf");
    await spm.close();
    const { json, config } = await openGgufTokenizer(spm);
    expect(new LmTokenizer(json, config).encode("cat")).toEqual([59]);
    const metadata = new Map([...spm.metadata, ["tokenizer.ggml.tokens", ["a", "b"]]]) as GgufFile["metadata"];
    await expect(openGgufTokenizer({ ...spm, metadata })).rejects.toThrow("of 61 only 0 are the same.");
    await expect(openGgufTokenizer({ ...spm, path: "elsewhere/m.gguf" })).rejects.toThrow(
      'expected a byte-level BPE tokenizer (gpt2), got "llama". Put the model\'s tokenizer.json next to the file.',
    );
  });

  it.each<[string, unknown, string]>([
    ["general.architecture", "gemma", 'x: expected the architecture llama, got "gemma". Use another model.'],
    ["llama.block_count", "2", 'x: expected a positive number for llama.block_count, got "2". Convert it again.'],
    ["llama.rope.scaling.type", "yarn", 'x: expected rotary positions of the kind none or linear, got "yarn".'],
    ["llama.rope.scale_linear", "4", 'x: expected a positive number for llama.rope.scale_linear, got "4".'],
    ["llama.rope.scaling.yarn_log_multiplier", 0.1, 'got "llama.rope.scaling.yarn_log_multiplier" = 0.1. Remove what'],
    ["llama.expert_count", 8, "x: expected a model without experts, got 8 as llama.expert_count."],
    ["llama.rope.dimension_count", 2, "x: expected heads rotated as a whole, 4 channels, got 2"],
    ["llama.attention.value_length", 8, "x: expected values as wide as keys, 4, got 8"],
    ["llama.attention.sliding_window", 32, "x: expected attention to all tokens, got 32"],
    ["llama.attention.causal", false, "x: expected causal attention, got false"],
    ["llama.logit_scale", 0.5, 'x: expected known settings, got "llama.logit_scale" = 0.5.'],
    ["split.count", 3, "x: expected a whole model, got one of 3 parts."],
    ["tokenizer.ggml.normalizer.lowercase", true, 'got "tokenizer.ggml.normalizer.lowercase" = true.'],
    ["tokenizer.ggml.model", "llama", "x: expected a byte-level BPE tokenizer (gpt2)"],
    ["tokenizer.ggml.pre", "klingon", "x: expected tokenizer.ggml.pre gpt-2, smollm, llama-bpe, qwen2, got"],
    ["tokenizer.ggml.merges", [1], "x: expected a list of strings as tokenizer.ggml.merges, got a list of 1."],
    ["tokenizer.ggml.token_type", [1], "x: expected 40 token types, got 1."],
  ])("refuses %s = %j", (key, value, message) => {
    const changed = { ...gguf, path: "x", metadata: new Map([...gguf.metadata, [key, value]]) as GgufFile["metadata"] };
    expect(() => {
      ggufLlamaConfig(changed);
      ggufTokenizer(changed);
    }).toThrow(message);
  });
});
