/** Our models against the official modules' recorded outputs, and proof that the checker sees what is wrong. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkParity, formatParity, type ParityLine } from "../../src/evaluation/parity/parity.ts";
import { openSafetensors, writeSafetensors } from "../../src/weights/index.ts";

const official = "test/fixtures/tiny-a";

async function failures(folder: string): Promise<ParityLine[]> {
  return (await checkParity(folder)).lines.filter(({ holds }) => !holds);
}

/** Names of what the fixture records as a result. */
async function recorded(): Promise<string[]> {
  const files = ["io", "reverse/io", "reverse/stage2", "v1/io", "stage1/io", "preprocess"];
  const names: string[] = [];
  for (const path of files) {
    const file = await openSafetensors(join(official, `${path}.safetensors`));
    const results = [...file.tensors.keys()].filter((n) => !/^(input|src)\.|\.in$|^extra\.indices$/.test(n));
    const section = path === "preprocess" ? "preprocess." : path.replace(/[^/]*$/, "");
    names.push(...results.map((name) => section + name));
    await file.close();
  }
  return names;
}

test("every tensor of tiny-a is compared and within its bound, all codes are equal", async () => {
  const report = await checkParity(official);
  expect(
    formatParity(
      report,
      report.lines.filter(({ holds }) => !holds),
    ).join("\n"),
  ).toBe("all 178 hold");
  expect(report.lines.map(({ name }) => name).sort()).toEqual([...(await recorded()), "model.pt"].sort());
  const codes = report.lines.filter(({ name }) => name.endsWith("vq.indices"));
  expect(codes.map(({ note }) => note)).toEqual(Array(3).fill("64 of 64 codes equal"));
});

describe("the checker", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "parity-"));
    await cp(official, folder, { recursive: true, filter: (path) => !/reverse|v1|stage1|preprocess/.test(path) });
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Rewrites a file of the folder with one number of one tensor changed. */
  async function change(file: string, tensor: string, f: (x: number) => number, copyAs = tensor): Promise<void> {
    const path = join(folder, file);
    const source = await openSafetensors(path);
    const all = new Map<string, Parameters<typeof writeSafetensors>[1] extends Iterable<infer T> ? T : never>();
    for (const [name, { dtype, shape }] of source.tensors)
      all.set(name, { name, dtype, shape, data: await source.read(name) });
    const data = (await source.read(tensor)).slice();
    data[0] = typeof data[0] === "bigint" ? BigInt(f(Number(data[0]))) : f(data[0]!);
    all.set(copyAs, { ...all.get(tensor)!, name: copyAs, data });
    await source.close();
    await writeSafetensors(path, all.values());
  }

  test("takes model.pt where there is no model.safetensors", async () => {
    await rm(join(folder, "model.safetensors"));
    expect(await failures(folder)).toEqual([]);
  });

  test("names the one recorded number that was changed", async () => {
    await change("io.safetensors", "recon.blocks.0", (x) => x + 1e-3);
    expect((await failures(folder)).map(({ name }) => name)).toEqual(["recon.blocks.0"]);
  });

  test("counts codes that differ, and does not forgive one", async () => {
    await change("io.safetensors", "vq.indices", (x) => (x + 1) % 2);
    const [codes] = await failures(folder);
    expect(codes).toMatchObject({ name: "vq.indices", error: 1, bound: 0, note: "63 of 64 codes equal" });
  });

  test("finds the first layer that a changed weight spoils", async () => {
    await rm(join(folder, "model.pt"));
    await change("model.safetensors", "Qformer.bert.encoder.layer.2.attention.self.value.bias", (x) => x + 1);
    expect((await failures(folder))[0]?.name).toBe("qformer.layer.2");
  });

  test("sees a weight that differs between model.pt and model.safetensors", async () => {
    await change("model.safetensors", "quantize.embedding.weight", (x) => x + 1e-7);
    expect((await failures(folder)).map(({ name, note }) => `${name} ${note}`)).toEqual([
      "model.pt 196 of 197 tensors equal",
    ]);
  });

  test("sees a wrong epsilon by the probes", async () => {
    const path = join(folder, "config.json");
    const config = JSON.parse(await readFile(path, "utf8"));
    config.vision.layer_norm_eps = 1e-5;
    await writeFile(path, JSON.stringify(config));
    const names = (await failures(folder)).map(({ name }) => name);
    expect(names).toContain("probe.visual_encoder.blocks.0.norm1.out");
    expect(names).not.toContain("probe.ln_vision.out");
  });

  test("fails on a recorded tensor that it cannot compute", async () => {
    await change("io.safetensors", "vit.out", (x) => x, "vit.pooled");
    expect(await failures(folder)).toMatchObject([{ name: "vit.pooled", note: "not computed here" }]);
  });

  test("lists every parameter that is missing or misshaped", async () => {
    const path = join(folder, "config.json");
    const config = JSON.parse(await readFile(path, "utf8"));
    config.vision.depth = 4;
    config.image_features_dim = 17;
    await writeFile(path, JSON.stringify(config));
    const message = await checkParity(folder).catch((error: Error) => error.message);
    expect(message).toContain("visual_encoder.blocks.3.norm1.weight is missing");
    expect(message).toContain("distill_image_proj.bias: expected floats [17], got F32 [16]");
  });

  test("refuses a folder without a fixture and a config of another model", async () => {
    const empty = join(folder, "none");
    await expect(checkParity(empty)).rejects.toThrow(`${empty}: expected a parity fixture`);
    await writeFile(join(folder, "config.json"), '{ "kind": "gpt" }');
    await expect(checkParity(folder)).rejects.toThrow(
      /config\.json: expected the config of a parity fixture, got: kind/,
    );
    await writeFile(join(folder, "config.json"), "{");
    await expect(checkParity(folder)).rejects.toThrow(/config\.json: expected JSON/);
  });
});
