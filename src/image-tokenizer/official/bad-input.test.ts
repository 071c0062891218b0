import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SeedlingError } from "../../base/errors.ts";
import { writeSafetensors } from "../../weights/index.ts";
import { importOfficial, planImport } from "./index.ts";

const fixtures = "test/fixtures/tiny-a";
const hints = { visionHeads: 4, qformerHeads: 4 };
let root: string;
let out: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-bad-"));
  out = join(root, "out");
});
afterAll(() => rm(root, { recursive: true }));

/** Imports bytes as a file; expects a refusal in one line with a code of its own, and nothing written. */
async function refusal(bytes: Uint8Array, name = "x.pt"): Promise<string> {
  const path = join(root, name);
  await writeFile(path, bytes);
  const error = await importOfficial([path], out, { hints }).then(
    () => expect.unreachable(),
    (e: unknown) => e as SeedlingError,
  );
  expectRefusal(error);
  expect((await readdir(root)).filter((entry) => entry !== name)).toEqual([]);
  await rm(path);
  return error.message;
}

function expectRefusal(error: SeedlingError): void {
  expect(error).toBeInstanceOf(SeedlingError);
  expect([2, 3, 4]).toContain(error.exitCode);
  expect(error.message).toMatch(/^[^\n\r]{10,1200}$/);
}

const replaced = async (from: string, to: string): Promise<Buffer> => {
  const bytes = await readFile(`${fixtures}/model.pt`);
  const at = bytes.indexOf(from);
  expect(at).toBeGreaterThan(0);
  expect(to).toHaveLength(from.length);
  return Buffer.from(bytes).fill(to, at, at + to.length);
};

describe("a PyTorch file", () => {
  test("that wants a forbidden name", async () => {
    const message = await refusal(
      await replaced("torch._utils\n_rebuild_tensor_v2\n", `${"posix\nsystem".padEnd(31, "x")}\n`),
    );
    expect(message).toContain("expected tensors and plain values, got the Python name");
    expect(message).toContain("Nothing was executed");
  });

  test("that is cut short, anywhere", async () => {
    const bytes = await readFile(`${fixtures}/model.pt`);
    for (const part of [0.01, 0.5, 0.9, 0.999]) await refusal(bytes.subarray(0, Math.floor(bytes.length * part)));
  });

  test("that is something else", async () => {
    expect(await refusal(Buffer.from("GIF89a".padEnd(100)), "x.pth")).toContain("expected a safetensors header");
    await refusal(new Uint8Array(0));
  });
});

test("a safetensors header of 100 MB that is not there, and ranges that overlap", async () => {
  const claim = Buffer.alloc(64);
  claim.writeBigUInt64LE(100_000_000n);
  expect(await refusal(claim, "x.safetensors")).toContain("got a claim of 100000000");
  const json = JSON.stringify({
    cls_token: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
    query_tokens: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
  });
  const header = Buffer.alloc(8);
  header.writeBigUInt64LE(BigInt(json.length));
  const overlapping = Buffer.concat([header, Buffer.from(json), Buffer.alloc(8)]);
  expect(await refusal(overlapping, "x.safetensors")).toContain("overlaps");
});

test("shapes that claim everything and hold nothing", async () => {
  const path = join(root, "x.safetensors");
  const empty = (name: string, shape: number[]) => ({ name, dtype: "F32", shape, data: new Float32Array(0) }) as const;
  const tower = [
    empty("visual_encoder.cls_token", [1, 0, 880_000]),
    empty("visual_encoder.patch_embed.proj.weight", [0, 3, 14, 14]),
    empty("visual_encoder.pos_embed", [1, 257, 0]),
    empty("visual_encoder.blocks.0.mlp.fc1.weight", [1_000_000, 0]),
  ];
  const qformer = [
    empty("query_tokens", [0, 32, 768]),
    empty("Qformer.bert.encoder.layer.0.intermediate_query.dense.weight", [2 ** 40, 0]),
  ];
  await writeSafetensors(path, [...tower, ...qformer]);
  expect(await refusal(await readFile(path), "x.safetensors")).toContain("qformer.intermediate");
  const layers = Array.from({ length: 1001 }, (_, j) => empty(`Qformer.bert.encoder.layer.${j}.x`, [0]));
  await writeSafetensors(path, [...tower, ...qformer, ...layers]);
  expect(await refusal(await readFile(path), "x.safetensors")).toContain("expected at most 1000 parts");
});

test.each(["model.pt", "model.safetensors"])(
  "%s with damaged bytes is imported or refused in one line",
  async (name) => {
    const whole = await readFile(join(fixtures, name));
    const path = join(root, name);
    // Names, shapes and directories are at both ends; between them are numbers, of which any will do.
    const place = fc.oneof(
      fc.integer({ min: 0, max: 30_000 }),
      fc.integer({ min: whole.length - 20_000, max: whole.length - 1 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        await writeFile(path, bytes);
        const error = await importOfficial([path], out, { hints }).then(
          () => undefined,
          (e: unknown) => e as SeedlingError,
        );
        if (error) expectRefusal(error);
        else await rm(out, { recursive: true });
        expect((await readdir(root)).filter((entry) => entry !== name)).toEqual([]);
      }),
      { numRuns: 25 },
    );
    await rm(path);
  },
);

test("any names and shapes make a plan or a refusal", () => {
  const name = fc.constantFrom(
    "visual_encoder.cls_token",
    "visual_encoder.pos_embed",
    "visual_encoder.patch_embed.proj.weight",
    "visual_encoder.blocks.0.mlp.fc1.weight",
    "query_tokens",
    "Qformer.bert.encoder.layer.0.intermediate_query.dense.weight",
    "quantize.embedding.weight",
    "distill_image_proj.weight",
    "distill_text_proj.weight",
    "image_down.0.weight",
    "reverse_tokens",
    "vision_proj.weight",
    "cls_token",
    "__proto__",
  );
  const shape = fc.array(fc.constantFrom(0, 1, 5, 14, 32, 64, 88, 2 ** 33), { maxLength: 4 });
  fc.assert(
    fc.property(fc.array(fc.tuple(name, shape), { maxLength: 14 }), (entries) => {
      const tensors = new Map(
        entries.map(([key, dims]) => [key, { dtype: "F32", shape: dims, byteLength: 0, file: "x" } as const]),
      );
      try {
        planImport([{ path: "x", tensors }]);
      } catch (error) {
        expectRefusal(error as SeedlingError);
      }
    }),
    { numRuns: 200 },
  );
});
