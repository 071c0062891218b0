/** Against transformers' numbers (test/fixtures/clip), and imports of the same model as it could be published. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { copyTensor } from "../../weights/copy-tensor.ts";
import { openSafetensors, type TensorToWrite, writeSafetensors } from "../../weights/index.ts";
import { writeTorch } from "../../weights/torch-write.ts";
import { ClipModel } from "./clip-model.ts";
import { clipFiles, isClipRepository } from "./hub-files.ts";
import { importClip } from "./import.ts";

const FIXTURE = "test/fixtures/clip";
const root = await mkdtemp(join(tmpdir(), "seedling-clip-"));
afterAll(() => rm(root, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(root, `clip-${count++}`);

interface Expected {
  readonly texts: string[];
  readonly textEmbeddings: number[][];
  readonly imageEmbeddings: number[][];
}
const expected = JSON.parse(await readFile(join(FIXTURE, "expected.json"), "utf8")) as Expected;

async function expectParity(folder: string): Promise<void> {
  const model = await ClipModel.fromPretrained(folder, { threads: 1 });
  try {
    const near = (got: readonly Float32Array[], wanted: number[][]): void => {
      for (const [b, row] of wanted.entries())
        for (const [i, value] of row.entries()) expect(Math.abs(got[b]![i]! - value), `row ${b}`).toBeLessThan(2e-5);
    };
    near(await model.embedTexts(expected.texts), expected.textEmbeddings);
    near(
      await model.embedImages(["square.png", "wide.png"].map((name) => join(FIXTURE, name))),
      expected.imageEmbeddings,
    );
  } finally {
    await model.close();
  }
}

/** A copy of the fixture whose weights `change` makes other tensors of, stored as `name`. */
async function published(
  name: string,
  change: (tensors: TensorToWrite[]) => TensorToWrite[] = (t) => t,
): Promise<string> {
  const folder = fresh();
  await cp(FIXTURE, folder, { recursive: true });
  const path = join(folder, "model.safetensors");
  const file = await openSafetensors(path);
  const tensors = await Promise.all(
    [...file.tensors.keys()].map(async (key): Promise<TensorToWrite> => {
      const tensor = copyTensor(file, key);
      return { ...tensor, data: typeof tensor.data === "function" ? await tensor.data() : tensor.data };
    }),
  );
  await file.close();
  await rm(path);
  await (name.endsWith(".bin") ? writeTorch : writeSafetensors)(join(folder, name), change(tensors));
  return folder;
}

test("both towers, words and pictures as transformers computes them", () => expectParity(FIXTURE));

test("an import of PyTorch's weights, with what older versions stored besides", async () => {
  const positions: TensorToWrite = {
    name: "text_model.embeddings.position_ids",
    dtype: "I64",
    shape: [1, 2],
    data: BigInt64Array.of(0n, 1n),
  };
  const from = await published("pytorch_model.bin", (tensors) => [...tensors, positions]);
  const to = fresh();
  const report = await importClip(from, to);
  expect(report.files[0]!.ignored.map(({ name }) => name).sort()).toEqual(["logit_scale", positions.name]);
  expect(report.parameters).toBeGreaterThan(20_000);
  await expectParity(to);
});

test("what is missing or does not fit is named, and nothing is written", async () => {
  const from = await published("pytorch_model.bin", (tensors) =>
    tensors.filter(({ name }) => name !== "visual_projection.weight"),
  );
  await expect(importClip(from, fresh())).rejects.toThrow("visual_projection.weight is missing");
  const none = await published("other.bin");
  await expect(importClip(none, fresh())).rejects.toThrow(
    "expected model.safetensors or pytorch_model.bin, found none",
  );
  const config = JSON.parse(await readFile(join(FIXTURE, "config.json"), "utf8")) as {
    text_config: Record<string, unknown>;
  };
  config.text_config.hidden_size = 30;
  await writeFile(join(from, "config.json"), JSON.stringify(config));
  await expect(importClip(from, fresh())).rejects.toThrow("expected [");
  await expect(ClipModel.fromPretrained(root)).rejects.toThrow("expected a CLIP folder");
});

test("files of the Hub", () => {
  const paths = [
    "README.md",
    "config.json",
    "merges.txt",
    "preprocessor_config.json",
    "pytorch_model.bin",
    "tf_model.h5",
    "vocab.json",
  ];
  expect(isClipRepository(paths)).toBe(true);
  expect(clipFiles(paths)).toEqual([
    "config.json",
    "preprocessor_config.json",
    "vocab.json",
    "merges.txt",
    "pytorch_model.bin",
  ]);
  expect(isClipRepository(["config.json", "model.safetensors"])).toBe(false);
});
