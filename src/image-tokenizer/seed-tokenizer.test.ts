import { mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TINY_CODES, writeTinyModel } from "../../test/tiny-model.ts";
import { CheckpointError } from "../base/errors.ts";
import { Rng } from "../base/rng.ts";
import { encodePng, type RgbImage, resize, toTensor } from "../image/index.ts";
import { mapWeights, Runtime } from "../runtime/index.ts";
import { openSafetensors, writeSafetensors } from "../weights/index.ts";
import { openSeedFolder } from "./seed-folder.ts";
import { SeedTokenizer } from "./seed-tokenizer.ts";

let root: string;
let folder: string;
let tokenizer: SeedTokenizer;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-"));
  folder = join(root, "tiny");
  await writeTinyModel(folder);
  tokenizer = await SeedTokenizer.fromPretrained(folder, { threads: 1 });
});

afterAll(async () => {
  await tokenizer.close();
  await rm(root, { recursive: true });
});

function noise(seed: number, width = 20, height = 12): RgbImage {
  const rng = new Rng(seed);
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => rng.int(256)) };
}

const pictures = [1, 2, 3].map((seed) => noise(seed));
const someCodes = [5, 6].map((seed) => {
  const rng = new Rng(seed);
  return Array.from({ length: 32 }, () => rng.int(TINY_CODES));
});

function length(v: Float32Array): number {
  return Math.hypot(...v);
}

describe("pictures to codes", () => {
  test("32 codes of the codebook, whatever else is in the batch", async () => {
    const together = await tokenizer.encode(pictures);
    expect(await tokenizer.encode(pictures, { batch: 1 })).toEqual(together);
    for (const { codes } of together) {
      expect(codes).toBeInstanceOf(Int32Array);
      expect(codes).toHaveLength(32);
      expect(Math.min(...codes)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...codes)).toBeLessThan(TINY_CODES);
    }
    expect(together[0]).not.toEqual(together[1]);
  });

  test("pixels, bytes of a file and its path give the same codes", async () => {
    const path = join(root, "picture.png");
    const bytes = await encodePng(pictures[0]!);
    await writeFile(path, bytes);
    const [a, b, c] = await tokenizer.encode([pictures[0]!, bytes, path]);
    expect(b).toEqual(a);
    expect(c).toEqual(a);
  });

  test("no picture, no codes", async () => {
    expect(await tokenizer.encode([])).toEqual([]);
  });

  test("pixels that are too few are refused", async () => {
    const short = { width: 2, height: 2, data: new Uint8Array(11) };
    await expect(tokenizer.encode([short])).rejects.toThrow("picture: expected 12 bytes for 2x2, got 11.");
  });

  test("an aborted signal stops before the first batch", async () => {
    await expect(tokenizer.encode(pictures, { signal: AbortSignal.abort() })).rejects.toThrow("aborted");
  });

  test("half-precision weights are read from the file as they are", async () => {
    const { graphs, config, path } = await openSeedFolder(folder);
    const file = await openSafetensors(join(path, "model.safetensors"));
    const weights = new Map<string, Float32Array>();
    for (const name of file.tensors.keys()) weights.set(name, await file.readFloat32(name));
    await file.close();
    const runtime = new Runtime({ threads: 1 });
    const program = await runtime.compile(graphs.encodeImage!, mapWeights(weights));
    const { mean, std } = config.pixels as { mean: [number, number, number]; std: [number, number, number] };
    const data = toTensor([resize(pictures[0]!, 16, 16)], { mean, std });
    const { ids, embedding } = await program.run({ pixels: { shape: [1, 3, 16, 16], data } });
    await runtime.close();
    expect((await tokenizer.encode([pictures[0]!]))[0]!.codes).toEqual(ids!.data);
    expect((await tokenizer.embed([pictures[0]!]))[0]).toEqual(embedding!.data);
  });
});

describe("embeddings", () => {
  test("of pictures, captions and codes are unit vectors of one space", async () => {
    const all = [
      ...(await tokenizer.embed(pictures)),
      ...(await tokenizer.embedText(["a red cat", "a dog and a house"])),
      ...(await tokenizer.embedCodes(someCodes)),
    ];
    expect(all).toHaveLength(7);
    for (const v of all) {
      expect(v).toHaveLength(6);
      expect(length(v)).toBeCloseTo(1, 5);
    }
  });

  test("codes and embeddings in one pass are those of two", async () => {
    const both = await tokenizer.encodeAndEmbed(pictures, { batch: 2 });
    expect(both.map((one) => one.codes)).toEqual((await tokenizer.encode(pictures)).map((one) => one.codes));
    expect(both.map((one) => one.embedding)).toEqual(await tokenizer.embed(pictures));
  });

  test("of codes follow the codes that are kept", async () => {
    const [a] = await tokenizer.embedCodes(someCodes, { keep: 4 });
    const others = someCodes.map((codes) => [...codes.slice(0, 4), ...codes.slice(4).toReversed()]);
    expect((await tokenizer.embedCodes(others, { keep: 4 }))[0]).toEqual(a);
    expect((await tokenizer.embedCodes(others, { keep: 5 }))[0]).not.toEqual(a);
    expect((await tokenizer.embedCodes(someCodes, { keep: 4, rest: "repeat" }))[0]).not.toEqual(a);
  });

  test("of the CLIP pair, for both sides", async () => {
    const image = await tokenizer.clipImage(pictures);
    const text = await tokenizer.clipText(["a cat", "a dog"]);
    expect([...image, ...text].map((v) => v.length)).toEqual([10, 10, 10, 10, 10]);
    expect(image[0]).not.toEqual(image[1]);
    expect(text[0]).not.toEqual(text[1]);
  });
});

describe("codes to pictures", () => {
  test("a picture depends on its codes and the seed only", async () => {
    const [a, b] = await tokenizer.decode(someCodes, { seed: 7 });
    expect(a).toMatchObject({ width: 16, height: 16 });
    expect(a!.data).not.toEqual(b!.data);
    expect(await tokenizer.decode([someCodes[1]!], { seed: 7 })).toEqual([b]);
    expect(await tokenizer.decode(someCodes, { seed: [8, 7], batch: 1 })).toEqual([expect.not.objectContaining(a!), b]);
  });

  test("steps, guidance, noise and the number of codes kept matter", async () => {
    const decode = async (options: object): Promise<string> =>
      Buffer.from((await tokenizer.decode([someCodes[0]!], options))[0]!.data).toString("base64");
    const settings = [
      {},
      { steps: 2 },
      { guidanceScale: 1 },
      { noiseScale: 0.5 },
      { keep: 4 },
      { keep: 4, rest: "repeat" },
    ];
    expect(new Set(await Promise.all(settings.map(decode))).size).toBe(6);
    expect(await decode({ noiseScale: 1 })).toBe(await decode({}));
  });

  test("without noise every seed gives the same picture", async () => {
    const [a, b] = await tokenizer.decode([someCodes[0]!, someCodes[0]!], { seed: [1, 2], noiseScale: 0 });
    expect(a).toEqual(b);
    await expect(tokenizer.decode(someCodes, { noiseScale: 1.5 })).rejects.toThrow(
      "noiseScale: expected a number from 0 to 1, got 1.5.",
    );
  });

  test("progress counts every evaluation of every batch", async () => {
    const seen: string[] = [];
    await tokenizer.decode([...someCodes, ...someCodes].slice(0, 3), {
      batch: 2,
      steps: 2,
      onStep: (done, total) => seen.push(`${done}/${total}`),
    });
    expect(seen).toEqual(["1/4", "2/4", "3/4", "4/4"]);
  });

  test("captions are decoded without codes", async () => {
    const [a, b] = await tokenizer.decodeText(["a red cat", "a blue house"]);
    expect(a!.data).not.toEqual(b!.data);
  });

  test("the text head is decoded where it is the one that is there", async () => {
    const other = join(root, "text");
    await writeTinyModel(other, { head: "text", dtype: "BF16" });
    const text = await SeedTokenizer.fromPretrained(other, { threads: 1 });
    const [a, b] = await text.decode(someCodes);
    await text.close();
    expect(a!.data).not.toEqual(b!.data);
  });

  test.each([
    [[...someCodes[0]!.slice(0, 31)], {}, "picture 0: expected 32 codes, got 31."],
    [someCodes[0]!.with(3, 64), {}, "picture 0: code 64 at position 3 is outside 0..63."],
    [someCodes[0]!, { keep: 0 }, "keep: expected a number of codes from 1 to 32, got 0."],
    [someCodes[0]!, { steps: 0 }, "sampling: expected 1 to 1000 steps, got 0."],
    [someCodes[0]!, { seed: [1, 2] }, "seed: expected one number, or 1 of them, got 2."],
    [someCodes[0]!, { batch: 0 }, "batch: expected a whole number from 1, got 0."],
  ])("wrong codes and options are refused (%#)", async (codes, options, message) => {
    await expect(tokenizer.decode([codes], options)).rejects.toThrow(message);
  });

  test("an abort between steps rejects with its reason", async () => {
    const stop = new AbortController();
    const decoding = tokenizer.decode(someCodes, {
      signal: stop.signal,
      onStep: () => stop.abort(new Error("enough")),
    });
    await expect(decoding).rejects.toThrow("enough");
  });
});

describe("model folders", () => {
  let count = 0;
  async function altered(change: (path: string) => Promise<void>): Promise<unknown> {
    const path = join(root, `altered-${count++}`);
    await writeTinyModel(path);
    await change(path);
    return SeedTokenizer.fromPretrained(path).then(
      () => "opened",
      (error: unknown) => error,
    );
  }
  const edit = (name: string, change: (json: never) => unknown) =>
    altered(async (path) => {
      const file = join(path, name);
      await writeFile(file, JSON.stringify(change(JSON.parse(await readFile(file, "utf8")) as never)));
    });

  test("missing, misshaped and extra tensors are listed in one error; parts of training are passed over", async () => {
    const error = await altered(async (path) => {
      const name = join(path, "model.safetensors");
      const file = await openSafetensors(name);
      const tensors = await Promise.all(
        [...file.tensors].map(async ([key, { shape }]) => ({
          name: key === "query_tokens" ? "query_token" : key,
          dtype: "F16" as const,
          shape: key === "ln_vision.bias" ? [1, ...shape] : shape,
          data: await file.readFloat32(key),
        })),
      );
      await file.close();
      await writeSafetensors(name, tensors);
    });
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as CheckpointError).problems).toEqual([
      '"query_tokens" is missing',
      '"ln_vision.bias": expected [12], got [1,12]',
      '"query_token" is not part of the model',
    ]);
  });

  test("every missing file is named", async () => {
    const error = await altered(async (path) => {
      await rm(join(path, "tokenizer.json"));
      await rm(join(path, "model.safetensors"));
    });
    expect(error).toMatchObject({
      exitCode: 4,
      message: expect.stringContaining("expected model.safetensors, tokenizer.json, found none."),
    });
  });

  test("files that do not belong together are told apart", async () => {
    const error = await edit("unet/config.json", (json: object) => ({ ...json, out_channels: 7 }));
    expect(error).toMatchObject({
      exitCode: 3,
      message: expect.stringContaining("out_channels in unet/config.json: expected 6, got 7"),
    });
  });

  test("an unknown key of any config is refused", async () => {
    for (const name of ["config.json", "scheduler/scheduler_config.json"])
      expect(await edit(name, (json: object) => ({ ...json, color: 1 }))).toMatchObject({
        exitCode: 3,
        message: expect.stringContaining("color"),
      });
  });

  test("sizes that do not fit each other are an error of the config, not a bug", async () => {
    const error = await edit("config.json", (json: object) => ({ ...json, decoderHeads: 5 }));
    expect(error).toMatchObject({ exitCode: 3, message: expect.stringContaining("5 heads share, got 16") });
  });

  test("whole numbers as weights are refused by name", async () => {
    const error = await altered(async (path) => {
      const name = join(path, "unet", "diffusion_pytorch_model.safetensors");
      const file = await openSafetensors(name);
      const tensors = [...file.tensors].map(([key, { shape }]) => ({
        name: key,
        dtype: "I32" as const,
        shape,
        data: new Int32Array(shape.reduce((a, b) => a * b, 1)),
      }));
      await file.close();
      await writeSafetensors(name, tensors);
    });
    expect(String(error)).toMatch(/expected tensors of F32, F16, BF16 or quantized ones, got I32 for conv_in\./);
  });

  test("weights behind a symbolic link are found, as in the Hugging Face cache", async () => {
    const path = join(root, "linked");
    await writeTinyModel(path);
    await rename(join(path, "model.safetensors"), join(root, "blob"));
    await symlink(join("..", "blob"), join(path, "model.safetensors"));
    const linked = await SeedTokenizer.fromPretrained(path, { threads: 1 });
    expect(await linked.encode(pictures)).toEqual(await tokenizer.encode(pictures));
    await linked.close();
  });
});
