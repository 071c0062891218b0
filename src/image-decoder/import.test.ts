/** Folders as they were published, made from diffusers' fixtures -> folders that open here. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { importOfficial } from "../image-tokenizer/official/index.ts";
import { copyTensor } from "../weights/copy-tensor.ts";
import { openCheckpoint, openSafetensors, type TensorToWrite, writeSafetensors } from "../weights/index.ts";
import { writeTorch } from "../weights/torch-write.ts";
import { openDiffusersFolder } from "./folder.ts";
import { importDiffusers, isDiffusersFolder } from "./import.ts";

const fixtures = "test/fixtures/diffusers";
const WEIGHTS = "diffusion_pytorch_model.safetensors";
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-import-diffusers-"));
});
afterAll(() => rm(root, { recursive: true }));

let count = 0;
const fresh = (): string => join(root, `folder-${count++}`);

async function copy(kind: "sd1" | "unclip"): Promise<string> {
  const folder = fresh();
  await cp(join(fixtures, kind), folder, { recursive: true });
  return folder;
}

/** Stores a part again: `change` makes other tensors of it, `as` is the file's new name. */
async function restore(
  path: string,
  as: string,
  change: (tensors: TensorToWrite[]) => TensorToWrite[] = (tensors) => tensors,
): Promise<void> {
  const file = await openSafetensors(path);
  const tensors = change(await Promise.all([...file.tensors.keys()].map((name) => inMemory(copyTensor(file, name)))));
  await file.close();
  await rm(path);
  await (as.endsWith(".bin") ? writeTorch : writeSafetensors)(join(path, "..", as), tensors);
}

async function inMemory(tensor: TensorToWrite): Promise<TensorToWrite> {
  return { ...tensor, data: typeof tensor.data === "function" ? await tensor.data() : tensor.data };
}

async function bytesOf(path: string): Promise<Map<string, string>> {
  const file = await openCheckpoint(path);
  const bytes = new Map<string, string>();
  for (const name of file.tensors.keys()) bytes.set(name, Buffer.from(await file.readBytes(name)).toString("base64"));
  await file.close();
  return bytes;
}

async function refusal(from: string, code: number): Promise<Error & { problems?: string[] }> {
  const to = fresh();
  const error = await importDiffusers(from, to).then(
    () => expect.unreachable(),
    (e: unknown) => e as Error & { problems?: string[] },
  );
  expect(error).toMatchObject({ exitCode: code, message: expect.stringMatching(/^[^\n]{10,1000}$/) });
  await expect(readdir(to)).rejects.toThrow("ENOENT");
  expect((await readdir(root)).filter((name) => name.startsWith("."))).toEqual([]);
  return error;
}

describe("what is written opens, with the same numbers", () => {
  test("1.x as torch zips, with old names, buffers, what nobody knows, and parts that decoding does not need", async () => {
    const from = await copy("sd1");
    await restore(join(from, "unet", WEIGHTS), "diffusion_pytorch_model.bin");
    await restore(join(from, "vae", WEIGHTS), "diffusion_pytorch_model.bin", (tensors) =>
      tensors.map((t) => ({ ...t, name: t.name.replace(/(?<=decoder.*attentions\.0\.)to_q/, "query") })),
    );
    const ids = { dtype: "I64", shape: [7], data: new BigInt64Array(7) } as const;
    await restore(join(from, "text_encoder", "model.safetensors"), "pytorch_model.bin", (tensors) => [
      ...tensors.map((t) => ({ ...t, name: `text_model.${t.name}` })),
      { ...ids, name: "text_model.embeddings.position_ids" },
      { ...ids, name: "logit_scale" },
    ]);
    await mkdir(join(from, "safety_checker"));
    const to = fresh();
    const report = await importDiffusers(from, to);
    expect(report).toMatchObject({ missing: [], misshaped: [], notFinite: [], left: ["safety_checker"] });
    expect(report.files.map(({ path }) => path)).toEqual([
      join(from, "text_encoder", "pytorch_model.bin"),
      join(from, "unet", "diffusion_pytorch_model.bin"),
      join(from, "vae", "diffusion_pytorch_model.bin"),
    ]);
    const [text, unet, vae] = report.files;
    expect(text!.ignored).toEqual([
      { name: "text_model.embeddings.position_ids", why: "a buffer that counts positions" },
      { name: "logit_scale", why: "not part of the model" },
    ]);
    expect(unet!.ignored).toEqual([]);
    expect(new Set(vae!.ignored.map(({ why }) => why))).toEqual(new Set(["known, but decoding does not run it"]));
    expect(vae!.ignored.every(({ name }) => /^(encoder|quant_conv)\./.test(name))).toBe(true);
    expect(vae!.used).toContainEqual(expect.stringMatching(/attentions\.0\.query\.weight$/));

    expect((await readdir(to)).sort()).toEqual(["model_index.json", "scheduler", "text_encoder", "unet", "vae"]);
    expect(await readdir(join(to, "vae"))).toEqual(["config.json", WEIGHTS]);
    expect(await bytesOf(join(to, "unet", WEIGHTS))).toEqual(await bytesOf(join(fixtures, "sd1", "unet", WEIGHTS)));
    expect(await openDiffusersFolder(to)).toMatchObject({ accepts: ["text"] });
    await expect(openDiffusersFolder(from)).rejects.toThrow("or make them with seedling import.");
  });

  test("unCLIP with its image encoder and normalizer, in half precision; NaN is counted", async () => {
    const from = await copy("unclip");
    await restore(join(from, "image_normalizer", WEIGHTS), "diffusion_pytorch_model.bin");
    await restore(join(from, "unet", WEIGHTS), "diffusion_pytorch_model.fp16.safetensors", ([first, ...rest]) => [
      { ...first!, data: new Float32Array((first!.data as Float32Array).length).fill(Number.NaN) },
      ...rest,
    ]);
    const to = fresh();
    const seen: number[] = [];
    const report = await importDiffusers(from, to, {
      dtype: "f16",
      onProgress: (done, total) => seen.push(done / total),
    });
    expect(report.notFinite).toEqual([{ name: expect.stringMatching(/^unet\//), count: expect.any(Number) }]);
    expect(seen.at(-1)).toBe(1);
    const opened = await openDiffusersFolder(to);
    expect(opened.imageEncoder).toBeDefined();
    expect(opened.imageNoise!.normalizer.mean).toHaveLength(12);
    const file = await openSafetensors(join(to, "unet", WEIGHTS));
    expect([...file.tensors.values()].every(({ dtype }) => dtype === "F16")).toBe(true);
    await file.close();
  });

  test("an import of an import is the same, bit for bit", async () => {
    const [first, second] = [fresh(), fresh()];
    await importDiffusers(join(fixtures, "sd1"), first);
    expect((await importDiffusers(first, second)).files.flatMap(({ ignored }) => ignored)).toEqual([]);
    for (const name of ["unet", "vae"].map((part) => join(part, WEIGHTS)))
      expect((await readFile(join(second, name))).equals(await readFile(join(first, name)))).toBe(true);
  });
});

describe("one clear line, and nothing written, when", () => {
  test("parts are missing: all of them are named", async () => {
    const from = await copy("unclip");
    await rm(join(from, "vae"), { recursive: true });
    await rm(join(from, "unet", WEIGHTS));
    await rm(join(from, "image_noising_scheduler"), { recursive: true });
    await rm(join(from, "image_normalizer"), { recursive: true });
    expect((await refusal(from, 4)).message).toBe(
      `${from}: expected vae/config.json, image_noising_scheduler/scheduler_config.json, ` +
        "weights in unet/ (safetensors or .bin), weights in vae/ (safetensors or .bin), " +
        "weights in image_normalizer/ (safetensors or .bin), found none. Copy the whole diffusers folder again.",
    );
    await rm(join(from, "model_index.json"));
    expect(await isDiffusersFolder(from)).toBe(true);
    expect((await refusal(from, 4)).message).toContain("expected model_index.json, found none.");
  });

  test("tensors are missing, misshaped or no floats: those of all parts are listed", async () => {
    const from = await copy("sd1");
    await restore(join(from, "unet", WEIGHTS), WEIGHTS, (tensors) =>
      tensors
        .filter(({ name }) => name !== "conv_out.bias")
        .map((t) => (t.name === "conv_in.bias" ? { ...t, shape: [1, ...t.shape] } : t)),
    );
    await restore(join(from, "vae", WEIGHTS), "diffusion_pytorch_model.bin", (tensors) =>
      tensors.map((t) =>
        t.name === "decoder.conv_in.bias" ? { ...t, dtype: "I64", data: new BigInt64Array(t.shape[0]!) } : t,
      ),
    );
    const { message, problems } = await refusal(from, 3);
    expect(problems).toEqual([
      "unet/conv_out.bias is missing",
      "unet/conv_in.bias: expected [16], got [1,16]",
      "vae/decoder.conv_in.bias: expected floats, got I64",
    ]);
    expect(message).toContain("Do the config.json files and the weights belong together?");
  });

  test("a .bin is not a torch zip, or a zip with something else in it", async () => {
    const from = await copy("sd1");
    await rm(join(from, "unet", WEIGHTS));
    const path = join(from, "unet", "diffusion_pytorch_model.bin");
    await writeFile(path, "nothing of the kind");
    expect((await refusal(from, 3)).message).toContain(path);
    await writeFile(path, Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(100)]));
    expect((await refusal(from, 3)).message).toContain(path);
  });

  test("the target is taken, or it is interrupted", async () => {
    await expect(importDiffusers(join(fixtures, "sd1"), fixtures)).rejects.toThrow("expected a folder that is new");
    const signal = AbortSignal.abort(new Error("enough"));
    const to = fresh();
    await expect(importDiffusers(join(fixtures, "sd1"), to, { signal })).rejects.toThrow("enough");
    await expect(readdir(to)).rejects.toThrow("ENOENT");
  });
});

test("folders of ours are told apart", async () => {
  const seed = fresh();
  await importOfficial(["test/fixtures/tiny-a"], seed);
  for (const path of [seed, "models/seedling-mini", "test/fixtures/tiny-a", "nowhere", "package.json"])
    expect(await isDiffusersFolder(path)).toBe(false);
});
