/** Model folders that lack something or are damaged: one line each, before anything is computed or written. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { SeedlingError } from "../base/errors.ts";
import { openSafetensors, writeSafetensors } from "../weights/index.ts";
import { program } from "./program.ts";

let root: string;
let model: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-folders-"));
  model = join(root, "model");
  await writeTinyModel(model);
});
afterAll(() => rm(root, { recursive: true }));

let count = 0;
/** What `tokenize` says about a copy of the model folder that is changed. */
async function withModel(change: (folder: string) => Promise<void>): Promise<{ message: string; exitCode: number }> {
  const folder = join(root, `model-${count++}`);
  await cp(model, folder, { recursive: true });
  await change(folder);
  const output = join(root, "never.txt");
  const line = ["tokenize", "examples/turtle.png", "-o", output, "--model", folder, "--threads", "1", "--quiet"];
  const error: unknown = await (await program("tokenize")).parseAsync(line, { from: "user" }).catch((e: unknown) => e);
  expect(await readdir(root)).not.toContain("never.txt");
  expect(error).toBeInstanceOf(SeedlingError);
  const { message, exitCode } = error as SeedlingError;
  expect(message).not.toContain("\n");
  return { message, exitCode };
}

/** Writes the weights again under other names and shapes. */
async function rewrite(
  folder: string,
  change: (name: string, shape: readonly number[]) => [string, readonly number[]],
) {
  const path = join(folder, "model.safetensors");
  const file = await openSafetensors(path);
  const tensors = [];
  for (const [key, info] of file.tensors) {
    const [name, shape] = change(key, info.shape);
    tensors.push({ name, dtype: "F16" as const, shape, data: await file.readFloat32(key) });
  }
  await file.close();
  await writeSafetensors(path, tensors);
}

/** Replaces the header of the weights. */
async function reheader(folder: string, change: (json: string) => string, claim?: bigint): Promise<void> {
  const path = join(folder, "model.safetensors");
  const bytes = await readFile(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const json = Buffer.from(change(bytes.toString("utf8", 8, 8 + length)));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(claim ?? BigInt(json.length));
  await writeFile(path, Buffer.concat([size, json, bytes.subarray(8 + length)]));
}

test.each([
  ["config.json", "expected config.json, found none. Copy the whole model folder again."],
  ["model.safetensors", "expected model.safetensors, found none. Copy the whole model folder again."],
  ["tokenizer.json", "expected tokenizer.json, found none. Copy the whole model folder again."],
  ["scheduler/scheduler_config.json", "expected scheduler/scheduler_config.json, found none."],
  ["unet/diffusion_pytorch_model.safetensors", "unet: expected diffusion_pytorch_model.safetensors or"],
  ["vae/diffusion_pytorch_model.safetensors", "vae: expected diffusion_pytorch_model.safetensors or"],
])("without %s", async (name, expected) => {
  const { exitCode, message } = await withModel((folder) => rm(join(folder, name)));
  expect(message).toContain(expected);
  expect(exitCode).toBe(4);
});

test("that are empty", async () => {
  const { exitCode, message } = await withModel(async (folder) => {
    await rm(folder, { recursive: true });
    await mkdir(folder);
  });
  expect(message).toMatch(/: expected a model folder, got an empty folder\. Check the path\.$/);
  expect(exitCode).toBe(3);
});

test("that do not exist", async () => {
  const { exitCode, message } = await withModel((folder) => rm(folder, { recursive: true }));
  expect(message).toMatch(/: no such model folder\. Check the path\.$/);
  expect(exitCode).toBe(3);
});

test.each<[string, (folder: string) => Promise<void>, RegExp]>([
  [
    "a missing and an extra tensor",
    (folder) => rewrite(folder, (name, shape) => [name === "ln_vision.bias" ? "ln_vision.b" : name, shape]),
    /"ln_vision\.bias" is missing; "ln_vision\.b" is not part of the model\./,
  ],
  [
    "a misshaped tensor",
    (folder) => rewrite(folder, (name, shape) => [name, name === "ln_vision.bias" ? [1, ...shape] : shape]),
    /"ln_vision\.bias": expected \[12\], got \[1,12\]\./,
  ],
  [
    "overlapping tensors",
    (folder) =>
      reheader(folder, (json) =>
        json.replace(/"data_offsets":\[(?!0,)(\d+),(\d+)\]/, (_, a, b) => `"data_offsets":[${a - 2},${b - 2}]`),
      ),
    /damaged header: .*overlaps the tensor before it by 2 bytes/,
  ],
  [
    "a header that claims gigabytes",
    (folder) => reheader(folder, (json) => json, 5_000_000_000n),
    /expected a safetensors header of at most \d+ bytes, got a claim of 5000000000\./,
  ],
  [
    "weights that are cut short",
    (folder) => truncate(join(folder, "unet", "diffusion_pytorch_model.safetensors"), 5000),
    /damaged|expected a safetensors/,
  ],
  ["a config that is not JSON", (folder) => writeFile(join(folder, "config.json"), "{"), /config\.json: expected JSON/],
  [
    "an unknown key",
    async (folder) => {
      const path = join(folder, "config.json");
      await writeFile(path, (await readFile(path, "utf8")).replace("{", '{"color":1,'));
    },
    /config\.json: .*"color"/,
  ],
])("with %s", async (_, change, says) => {
  const { exitCode, message } = await withModel(change);
  expect(message).toMatch(says);
  expect(exitCode).toBe(3);
});
