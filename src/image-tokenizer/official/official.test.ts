import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CheckpointError, UsageError } from "../../base/errors.ts";
import { Rng } from "../../base/rng.ts";
import { resize } from "../../image/index.ts";
import { copyTensor } from "../../weights/copy-tensor.ts";
import { openCheckpoint, openSafetensors, type StoredDtype, type TensorFile } from "../../weights/index.ts";
import { ourNames } from "../../weights/official.ts";
import type { TensorInfo } from "../../weights/tensor-file.ts";
import { writeTorch } from "../../weights/torch-write.ts";
import { quantizeFolder } from "../quantize.ts";
import { SeedTokenizer } from "../seed-tokenizer.ts";
import { exportOfficial, importOfficial, planImport } from "./index.ts";

const fixtures = "test/fixtures/tiny-a";
const heads = { visionHeads: 4, qformerHeads: 4 };

let root: string;
let count = 0;
const fresh = (): string => join(root, `folder-${count++}`);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-official-"));
});
afterAll(() => rm(root, { recursive: true }));

async function withFile<T>(path: string, use: (file: TensorFile) => Promise<T>): Promise<T> {
  const file = await openCheckpoint(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** The root fixture as it was published: a flat quantizer file, and a tower without prefix. */
async function publishedPair(change: (name: string) => string | undefined = (name) => name): Promise<string[]> {
  const tower = "visual_encoder.";
  const paths = [join(root, `seed_quantizer-${count}.pt`), join(root, `eva_vit_g-${count++}.pth`)];
  await withFile(`${fixtures}/model.pt`, async (file) => {
    const names = [...file.tensors.keys()].filter((name) => change(name) !== undefined);
    const copy = (name: string, prefix = "") => copyTensor(file, name, { name: change(name)!.slice(prefix.length) });
    await writeTorch(
      paths[0]!,
      names.filter((name) => !name.startsWith(tower)).map((name) => copy(name)),
    );
    await writeTorch(
      paths[1]!,
      names.filter((name) => name.startsWith(tower)).map((name) => copy(name, tower)),
    );
  });
  return paths;
}

describe("full size", () => {
  interface Named {
    path: string;
    tensors: Map<string, TensorInfo>;
  }
  const files = new Map<string, Named>();
  beforeAll(async () => {
    const lines = (await readFile("test/fixtures/seed-v2-keys.tsv", "utf8")).trim().split("\n").slice(1);
    for (const line of lines) {
      const [path, name, dims, dtype] = line.split("\t") as [string, string, string, StoredDtype];
      const shape = dims === "" ? [] : dims.split("x").map(Number);
      if (!files.has(path)) files.set(path, { path, tensors: new Map() });
      files.get(path)!.tensors.set(name, { dtype, shape, byteLength: 0, file: path });
    }
  });

  test("the published v2 files fit together, and every size comes from their shapes", () => {
    const { config, report } = planImport([...files.values()]);
    expect(config).toEqual({
      format: "seedling-2",
      vision: { imageSize: 224, patchSize: 14, width: 1408, depth: 39, heads: 16, mlpHidden: 6144 },
      qformer: {
        hidden: 768,
        heads: 12,
        layers: 12,
        intermediate: 3072,
        crossAttentionFrequency: 2,
        causal: true,
        vocabulary: 30523,
        maxPositions: 512,
      },
      contrastiveWidth: 256,
      codebook: { codes: 8192, width: 32 },
      decoderDepth: 4,
      decoderHeads: 12,
      reconstructs: true,
      image: { width: 1024, head: { kind: "down", dims: [256, 128, 32] } },
      text: { tokens: 77, width: 768, layers: 4 },
    });
    const [quantizer, tower] = report.files;
    expect([report.missing, report.misshaped]).toEqual([[], []]);
    expect(quantizer).toMatchObject({ published: { missing: 511, unexpected: 146 } });
    expect(quantizer!.ignored.map(({ name }) => name).sort()).toEqual([
      "Qformer.bert.embeddings.position_ids",
      "Qformer.cls.predictions.decoder.bias",
      "Qformer.cls.predictions.decoder.weight",
      "Reverse_Qformer_text.bert.embeddings.position_ids",
      "clip_model.vision_model.embeddings.position_ids",
      "text_encoder.transformer.text_model.embeddings.position_ids",
    ]);
    expect([quantizer!.used.length, tower!.used.length, tower!.ignored.length]).toEqual([586, 511, 13]);
    expect(tower!.published).toBeUndefined();
    expect(new Set(tower!.ignored.map(({ why }) => why))).toEqual(
      new Set(["the last block of ViT-g, whose output nobody reads"]),
    );
  });

  test("without the text branch and the tower of 39 blocks", () => {
    const quantizer = files.get("seed_quantizer.pt")!;
    const kept = [...quantizer.tensors].filter(([name]) => !/_text(\.|$)|^distill_text/.test(name));
    const { config, report } = planImport([{ ...quantizer, tensors: new Map(kept) }, files.get("eva_vit_g.pth")!]);
    expect(config.text).toBeUndefined();
    expect(report.missing).toEqual([]);
  });

  test("a trained image head with the Reverse Q-Former of the training class, in place of image_down", () => {
    const quantizer = files.get("seed_quantizer.pt")!;
    const renamed = [...quantizer.tensors].flatMap(([name, info]): [string, TensorInfo][] => {
      if (name.startsWith("image_down")) return [];
      if (name === "reverse_tokens_text") return [["reverse_tokens", { ...info, shape: [1, 1, 768] }]];
      if (name === "distill_image_proj.weight") return [[name, { ...info, shape: [1024, 768] }]];
      if (name.startsWith("distill_text") || name.endsWith("_text") || name.startsWith("blocks_text")) return [];
      return [[name.replace("Reverse_Qformer_text", "Reverse_Qformer"), info]];
    });
    const { config, report } = planImport([{ ...quantizer, tensors: new Map(renamed) }, files.get("eva_vit_g.pth")!]);
    expect(config).toMatchObject({ image: { width: 1024, head: { kind: "reverse", layers: 4 } } });
    expect([report.missing, report.misshaped]).toEqual([[], []]);
  });
});

describe("tiny-a", () => {
  test.each(["", "v1", "reverse", "stage1"])("%s: import of an export is bit-identical", async (section) => {
    const [first, out, second] = [fresh(), fresh(), fresh()];
    const source = join(fixtures, section);
    const report = await importOfficial([source], first);
    expect(report.notFinite).toEqual([]);
    const { files } = await exportOfficial(first, out);
    await importOfficial(
      files.map(({ file }) => join(out, file)),
      second,
    );
    for (const name of ["config.json", "model.safetensors"]) {
      const [a, b] = await Promise.all([first, second].map((folder) => readFile(join(folder, name))));
      expect(a!.equals(b!)).toBe(true);
    }
    // And nothing was changed or lost on the way in.
    await withFile(source, (original) =>
      withFile(first, async (imported) => {
        const names = ourNames(original.tensors.keys());
        const stored = new Map([...names].map(([name, ours]) => [ours, name]));
        for (const name of imported.tensors.keys()) {
          const [a, b] = [await original.readBytes(stored.get(name)!), await imported.readBytes(name)];
          expect(Buffer.from(a).equals(Buffer.from(b))).toBe(true);
        }
        const left = [...names].filter(([, ours]) => !imported.tensors.has(ours)).map(([name]) => name);
        expect(left.filter((name) => !/position_ids$|^Qformer\.cls\./.test(name))).toEqual([]);
      }),
    );
  });

  test("layouts are named as they were published", async () => {
    const names = async (section: string) => {
      const [folder, out] = [fresh(), fresh()];
      await importOfficial([join(fixtures, section)], folder);
      await exportOfficial(folder, out);
      return (await readdir(out)).sort();
    };
    expect(await names("")).toEqual(["config.json", "eva_vit_g.pth", "seed_quantizer.pt"]);
    expect(await names("v1")).toEqual(["causal_qformer.pth", "config.json", "eva_vit_g.pth", "seed_tokenizer.pth"]);
    expect(await names("stage1")).toEqual(["blip2_pretrained.pth", "config.json", "eva_vit_g.pth"]);
  });

  test("the published pair gives the same folder as the whole state dict", async () => {
    const [whole, pair] = [fresh(), fresh()];
    await importOfficial([fixtures], whole);
    const report = await importOfficial(await publishedPair(), pair, { hints: heads });
    expect(report.files[0]!.published).toEqual({ missing: 4 + 3 * 13, unexpected: 0 });
    const [a, b] = await Promise.all([whole, pair].map((folder) => readFile(join(folder, "model.safetensors"))));
    expect(a!.equals(b!)).toBe(true);
  });

  test("names after module. and _orig_mod. of a trainer's file are understood, and said", async () => {
    const [plain, wrapped, folder] = [fresh(), fresh(), fresh()];
    await importOfficial([fixtures], plain);
    await mkdir(folder, { recursive: true });
    await copyFile(join(fixtures, "config.json"), join(folder, "config.json"));
    const path = join(folder, "ddp.pt");
    await withFile(fixtures, (file) => {
      const tensors = [...file.tensors.keys()].map((name) =>
        copyTensor(file, name, { name: `module._orig_mod.${name}` }),
      );
      return writeTorch(path, tensors, "model");
    });
    const { files } = await importOfficial([path], wrapped);
    expect(files[0]).toMatchObject({ section: "model", wrappers: ["_orig_mod.", "module."] });
    const [a, b] = await Promise.all([plain, wrapped].map((folder) => readFile(join(folder, "model.safetensors"))));
    expect(a!.equals(b!)).toBe(true);
  });

  test("a trainer's stage-1 checkpoint needs the tower, which it leaves out", async () => {
    const checkpoint = join(fixtures, "stage1/checkpoint_0.pth");
    await expect(importOfficial([checkpoint], fresh())).rejects.toThrow(
      "expected the vision tower, found none. Name its file (eva_vit_g.pth) too.",
    );
    const [folder, out, again] = [fresh(), fresh(), fresh()];
    await importOfficial([join(fixtures, "stage1")], folder);
    await exportOfficial(folder, out);
    await importOfficial([checkpoint, join(out, "eva_vit_g.pth")], again);
    const [a, b] = await Promise.all([folder, again].map((path) => readFile(join(path, "model.safetensors"))));
    expect(a!.equals(b!)).toBe(true);
  });

  test("stage 1 and stage 2 together: the later file wins where both have a tensor", async () => {
    const [first, folder] = [join(root, "stage1.pt"), fresh()];
    await withFile(fixtures, (file) =>
      writeTorch(first, [
        ...[...file.tensors.keys()]
          .filter((name) => !name.startsWith("quantize."))
          .map((name) => copyTensor(file, name)),
        { name: "quantize.embedding.weight", dtype: "F32", shape: [64, 8], data: new Float32Array(512) },
      ]),
    );
    const second = join(root, "stage2.pt");
    await withFile(fixtures, (file) => writeTorch(second, [copyTensor(file, "quantize.embedding.weight")], "model"));
    const report = await importOfficial([first, second], folder, { hints: heads });
    expect(report.files[0]!.ignored).toContainEqual({
      name: "quantize.embedding.weight",
      why: "a later file has it too",
    });
    const [a, b] = await Promise.all(
      [fixtures, folder].map((path) => withFile(path, (f) => f.readBytes("quantize.embedding.weight"))),
    );
    expect(b).toEqual(a);
  });

  test.each([
    ["f16", "F16", 2],
    ["bf16", "BF16", 2],
    ["f32", "F32", 4],
  ] as const)("--dtype %s", async (dtype, stored, bytes) => {
    const folder = fresh();
    const { parameters } = await importOfficial([fixtures], folder, { dtype });
    await withFile(folder, async (file) => {
      const infos = [...file.tensors.values()];
      expect(infos.every((info) => info.dtype === stored)).toBe(true);
      expect(infos.reduce((sum, info) => sum + info.byteLength, 0)).toBe(parameters * bytes);
    });
  });
});

describe("an imported folder runs", () => {
  const codesOf = async (path: string, name: string): Promise<number[][]> => {
    const io = await openSafetensors(path);
    const flat = Array.from(await io.readFloat32(name));
    await io.close();
    return Array.from({ length: flat.length / 32 }, (_, b) => flat.slice(b * 32, (b + 1) * 32));
  };
  test.each([
    ["", "extra.indices", "extra.image_embeds"],
    ["reverse", "extra.indices", "extra.image_embeds"],
    ["v1", "vq.indices", "generation_embeddings"],
  ])("%s: codes give the official generation embeddings", async (section, codes, embeddings) => {
    const folder = fresh();
    const io = join(fixtures, section, "io.safetensors");
    await importOfficial([join(fixtures, section)], folder);
    const seed = await SeedTokenizer.fromPretrained(folder, { threads: 1 });
    const got = await seed.generationEmbeddings(await codesOf(io, codes));
    await seed.close();
    const file = await openSafetensors(io);
    const expected = await file.readFloat32(embeddings);
    expect([got.length, ...got[0]!.shape]).toEqual(file.tensors.get(embeddings)!.shape);
    await file.close();
    const flat = Float32Array.from(got.flatMap(({ data }) => Array.from(data)));
    const largest = expected.reduce((max, x) => Math.max(max, Math.abs(x)), 1);
    const error = flat.reduce((max, x, i) => Math.max(max, Math.abs(x - expected[i]!)), 0);
    expect(error).toBeLessThan(2e-5 * largest);
  });

  test("pictures are squashed by the filter that is asked for", async () => {
    const folder = fresh();
    await importOfficial([fixtures], folder);
    const seed = await SeedTokenizer.fromPretrained(folder, { threads: 1 });
    const rng = new Rng(3);
    const picture = { width: 90, height: 61, data: Uint8Array.from({ length: 90 * 61 * 3 }, () => rng.int(256)) };
    const squashed = (filter: "bicubic" | "bilinear") => resize(picture, 56, 56, filter);
    expect(await seed.prepare(picture)).toEqual(squashed("bicubic"));
    const codes = await seed.encode([picture, squashed("bicubic"), squashed("bilinear")]);
    const [bilinear] = await seed.encode([picture], { filter: "bilinear" });
    expect(codes[0]).toEqual(codes[1]);
    expect(bilinear).toEqual(codes[2]);
    expect(bilinear).not.toEqual(codes[0]);
    await expect(seed.embed([picture])).rejects.toThrow("embed needs a contrastive space (vision_proj.weight)");
    await expect(seed.generationEmbeddings([], { head: "text" })).rejects.toThrow(UsageError);
    await seed.close();
  });
});

describe("what does not fit", () => {
  test("every missing and misshaped tensor is listed, and nothing is written", async () => {
    const [quantizer] = await publishedPair((name) => (name === "ln_vision.bias" ? undefined : name));
    const [, tower] = await publishedPair((name) => name.replace("blocks.2.norm1.bias", "blocks.2.norm1.bios"));
    const folder = fresh();
    const error = await importOfficial([quantizer!, tower!], folder, { hints: heads }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as CheckpointError).problems).toEqual([
      "visual_encoder.blocks.2.norm1.bias is missing",
      "ln_vision.bias is missing",
    ]);
    await expect(readdir(folder)).rejects.toThrow("ENOENT");
  });

  test("numbers of heads are never guessed wrongly", async () => {
    const pair = await publishedPair();
    await expect(importOfficial(pair, fresh())).rejects.toThrow(
      "the heads of the vision tower cannot be told from shapes: 28 is not a multiple of 88. Set visionHeads.",
    );
    await expect(importOfficial(pair, fresh(), { hints: { visionHeads: 4 } })).rejects.toThrow("Set qformerHeads.");
    await expect(importOfficial(pair, fresh(), { hints: { ...heads, visionHeads: 3 } })).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining("3 heads share, got 28"),
    });
  });

  test("a folder that is taken is left alone, before anything is read", async () => {
    await expect(importOfficial(["no such file"], fixtures)).rejects.toThrow("expected a folder that is new or empty");
    await expect(exportOfficial("no such folder", fixtures)).rejects.toThrow("expected a folder that is new or empty");
  });

  test("what the published layout has no names for is refused by name, before any work", async () => {
    const [tiny, out] = [fresh(), fresh()];
    await expect(exportOfficial("models/seedling-mini", out)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(
        /^models.seedling-mini.model\.safetensors: expected a tower as published, got one with a convolutional stem \(visual_encoder\.patch_embed\.stem\.0\./,
      ),
    });
    const imported = fresh();
    await importOfficial([fixtures], imported);
    await quantizeFolder(imported, tiny);
    await expect(exportOfficial(tiny, out)).rejects.toThrow("expected floats, got quantized weights.");
    await expect(readdir(out)).rejects.toThrow();
  });

  test("non-finite values are counted, by name", async () => {
    const [path, folder] = [join(root, "nan.pt"), fresh()];
    await withFile(fixtures, (file) =>
      writeTorch(
        path,
        [...file.tensors.keys()].map((name) => {
          const copy = copyTensor(file, name);
          if (name !== "pos_embed") return copy;
          const data = new Float32Array(32 * 24);
          data.set([Number.NaN, Number.POSITIVE_INFINITY], 5);
          return { ...copy, data };
        }),
      ),
    );
    const report = await importOfficial([path], folder, { hints: heads });
    expect(report.notFinite).toEqual([{ name: "pos_embed", count: 2 }]);
  });

  test("an interrupted import leaves nothing behind", async () => {
    const parent = fresh();
    const stop = new AbortController();
    const onProgress = (done: number, total: number) => {
      if (done > total / 2) stop.abort(new Error("enough"));
    };
    const importing = importOfficial([fixtures], join(parent, "model"), { signal: stop.signal, onProgress });
    await expect(importing).rejects.toThrow("enough");
    expect(await readdir(parent)).toEqual([]);
  });
});

test("a tower's own file is known by names without prefix", () => {
  expect([...ourNames(["cls_token", "patch_embed.proj.weight"]).values()]).toEqual([
    "visual_encoder.cls_token",
    "visual_encoder.patch_embed.proj.weight",
  ]);
  expect(ourNames(["cls_token"]).get("cls_token")).toBe("cls_token");
});
