import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { writeTinyDiffusion } from "../../test/tiny-diffusion.ts";
import { decodeImage } from "../image/index.ts";
import { DiffusionDecoder } from "../image-decoder/diffusion-decoder.ts";
import { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { fileSha256 } from "../io/hash.ts";
import { copyTensor } from "../weights/copy-tensor.ts";
import { openSafetensors, writeSafetensors } from "../weights/index.ts";
import { detokenizeCommand } from "./detokenize.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { inspectCommand } from "./inspect.ts";
import { writeJson, writeStdout } from "./output.ts";
import { quantizeCommand } from "./quantize.ts";
import { reconstructCommand } from "./reconstruct.ts";
import { tokenizeCommand } from "./tokenize.ts";

vi.mock("./output.ts", async (original) => ({
  ...(await original<object>()),
  writeJson: vi.fn(),
  writeStdout: vi.fn(),
}));

const fixture = "test/fixtures/tiny-a";
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-checkpoints-"));
});
afterAll(() => rm(root, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

/** The lines that a command prints. */
async function run(command: Command, ...args: string[]): Promise<string[]> {
  const printed: string[] = [];
  vi.mocked(writeStdout).mockImplementation(async (chunk) => void printed.push(chunk as string));
  vi.mocked(writeJson).mockImplementation(async (value) => void printed.push(`${JSON.stringify(value)}\n`));
  await command.parseAsync(args, { from: "user" });
  return printed.join("").trimEnd().split("\n");
}

test("import says what became of every tensor; export names its files; import of those gives the same", async () => {
  const [first, published, second] = ["first", "published", "second"].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  expect(await run(importCommand(), `${fixture}/model.pt`, "-o", first, "-q")).toEqual([
    `${fixture}/model.pt: 197 tensors, 196 used, 1 ignored`,
    "  ignored 1: a buffer that counts positions",
    "missing 0, misshaped 0, with non-finite values 0",
    "167 K parameters",
  ]);
  expect(await run(exportCommand(), first, "--format", "official", "-o", published, "-q")).toEqual([
    "file               tensors",
    "seed_quantizer.pt      153",
    "eva_vit_g.pth           43",
  ]);
  const files = ["seed_quantizer.pt", "eva_vit_g.pth"].map((name) => join(published, name));
  const [json] = await run(importCommand(), ...files, "-o", second, "-q", "--json");
  expect(JSON.parse(json!)).toMatchObject({
    folder: second,
    missing: [],
    files: [{ published: { missing: 43, unexpected: 0 } }, { ignored: [] }],
  });
  expect(await fileSha256(join(second, "model.safetensors"))).toBe(await fileSha256(join(first, "model.safetensors")));
});

test("inspect lists tensors, sizes and hashes of every file, as text and as JSON", async () => {
  const lines = await run(inspectCommand(), `${fixture}/v1/model.safetensors`);
  const bytes = await readFile(`${fixture}/v1/model.safetensors`);
  expect(lines[0]).toBe(
    `${fixture}/v1/model.safetensors  ${(bytes.length / 1000).toFixed(0)} kB  sha256 ${await fileSha256(`${fixture}/v1/model.safetensors`)}`,
  );
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}F32 +\[40, 6\] +960 B +quantize\.embedding\.weight$/));
  expect(lines.at(-1)).toBe("  215 tensors, 72.8 K numbers");
  const one = join(root, "one.safetensors");
  await writeSafetensors(one, [{ name: "w", dtype: "F32", shape: [1], data: Float32Array.of(2) }]);
  expect((await run(inspectCommand(), one)).at(-1)).toBe("  1 tensor, 1 number");
  const objects = (await run(inspectCommand(), `${fixture}/stage1`, "--json", "--no-hash")).map((line) =>
    JSON.parse(line),
  );
  expect(objects.map(({ file, tensors }) => [file, tensors.length])).toEqual([
    [`${fixture}/stage1/checkpoint_0.pth`, 101],
    [`${fixture}/stage1/io.safetensors`, expect.any(Number)],
    [`${fixture}/stage1/model.safetensors`, 134],
  ]);
});

test("non-finite values are a warning at import, and inspect shows where they are", async () => {
  const [path, folder] = [join(root, "nan.safetensors"), join(root, "nan")];
  const whole = await openSafetensors(`${fixture}/model.safetensors`);
  const tensors = [...whole.tensors.keys()].map((name) => copyTensor(whole, name));
  const [name, size] = ["query_tokens", whole.tensors.get("query_tokens")!.shape.reduce((a, b) => a * b)];
  const data = new Float32Array(size).fill(Number.NaN, 1, 3).fill(Number.NEGATIVE_INFINITY, 3, 4);
  await writeSafetensors(path, [
    ...tensors.filter((tensor) => tensor.name !== name),
    { name, dtype: "F32", shape: whole.tensors.get(name)!.shape, data },
  ]);
  await whole.close();
  const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const lines = await run(importCommand(), path, "-o", folder, "--vision-heads", "4", "--qformer-heads", "4");
  expect(lines).toContain("missing 0, misshaped 0, with non-finite values 1");
  const said = stderr.mock.calls.map(([line]) => String(line)).filter((line) => /^(seedling|wrote)/.test(line)); // no progress
  expect(said).toEqual([
    expect.stringMatching(/^seedling: \S+: 3 values are NaN or infinite\. Is the file damaged\?\n$/),
    expect.stringMatching(/^wrote /),
  ]);
  const shown = (await run(inspectCommand(), path)).filter((line) => /NaN|infinite/.test(line));
  expect(shown).toEqual([expect.stringMatching(/ query_tokens {2}3 values are NaN or infinite$/)]);
  const looked = async (...args: string[]) => {
    const [object] = (await run(inspectCommand(), path, "--json", ...args)).map((line) => JSON.parse(line));
    return new Map(object.tensors.map((t: { name: string; notFinite?: number }) => [t.name, t.notFinite]));
  };
  const counts = await looked();
  expect([...counts].filter(([, count]) => count !== 0)).toEqual([[name, 3]]);
  expect((await looked("--no-hash")).get(name)).toBeUndefined();
});

test("an imported folder tokenizes, quantized too, and does not decode alone", async () => {
  const [exact, small] = [join(root, "exact"), join(root, "small")];
  await run(importCommand(), fixture, "-o", exact, "-q");
  const [header, line] = await run(quantizeCommand(), exact, "-o", small, "-q");
  expect(header).toBe("file               matrices  before   after");
  expect(line).toMatch(/^model\.safetensors +\d+ +6\d\d kB +\d+ kB$/);
  for (const model of [exact, small]) {
    const output = join(root, "codes.jsonl");
    await tokenizeCommand().parseAsync(["examples/turtle.png", "--model", model, "--json", "-o", output, "-q"], {
      from: "user",
    });
    const seed = await SeedTokenizer.fromPretrained(model, { threads: 1 });
    const [{ codes }] = (await seed.encode(["examples/turtle.png"])) as [{ codes: Int32Array }];
    await seed.close();
    expect(JSON.parse(await readFile(output, "utf8"))).toEqual({ image: "examples/turtle.png", codes: [...codes] });
  }
  const decoding = detokenizeCommand().parseAsync(["-", "--model", exact, "-o", root], { from: "user" });
  await expect(decoding).rejects.toThrow(
    "expected a model with an image decoder, got one without. Name one: --diffusion.",
  );
  await expect(run(quantizeCommand(), exact, "-o", join(root, "x"), "--keep", "(")).rejects.toThrow("--keep: expected");
});

test.each([
  ["v2", fixture, [16], [77, 12]],
  ["v1", `${fixture}/v1`, [77, 12], [16]],
] as const)(
  "an imported SEED %s decodes with its Stable Diffusion, and refuses the other",
  async (name, source, fits, other) => {
    const [model, diffusion, wrong] = ["seed", "diffusion", "wrong"].map((part) => join(root, `${name}-${part}`)) as [
      string,
      string,
      string,
    ];
    await run(importCommand(), source, "-o", model, "-q");
    await writeTinyDiffusion(diffusion, { shape: fits });
    await writeTinyDiffusion(wrong, { shape: other });
    const codes = join(root, `${name}.txt`);
    await writeFile(
      codes,
      `${Array.from({ length: 32 }, (_, i) => i % 7).join(" ")}\n${Array(32).fill(3).join(" ")}\n`,
    );
    const decode = (folder: string, output: string, ...more: string[]) =>
      run(
        detokenizeCommand(),
        codes,
        "--model",
        model,
        "--diffusion",
        folder,
        "-o",
        output,
        "-q",
        "--steps",
        "2",
        ...more,
      );

    const output = join(root, `${name}-decoded`);
    await decode(diffusion, output, "--seed", "5", "--keep", "32,4");
    const files = (await readdir(output)).sort();
    expect(files).toEqual([`${name}-1-32.png`, `${name}-1-4.png`, `${name}-2-32.png`, `${name}-2-4.png`]);
    const pictures = await Promise.all(
      files.map(async (file) => decodeImage(await readFile(join(output, file)), file)),
    );
    expect(pictures.every(({ width, height }) => width === 16 && height === 16)).toBe(true);
    expect(new Set(pictures.map(({ data }) => data.join())).size).toBe(4);

    const seed = await SeedTokenizer.fromPretrained(model, { threads: 1 });
    const sd = await DiffusionDecoder.fromPretrained(diffusion, { threads: 1 });
    const [embedding] = await seed.generationEmbeddings([Array<number>(32).fill(3)]);
    expect(embedding!.shape).toEqual(fits);
    const [picture] = await sd.decode([embedding!], { seed: 5, steps: 2 });
    expect(picture!.data).toEqual(pictures[2]!.data);
    await decode(diffusion, join(root, `${name}-euler`), "--seed", "5", "--scheduler", "euler");
    const [resampled] = await sd.decode([embedding!], { seed: 5, steps: 2, scheduler: "euler" });
    const euler = await readFile(join(root, `${name}-euler`, `${name}-2.png`));
    expect((await decodeImage(euler, name)).data).toEqual(resampled!.data);
    await Promise.all([seed.close(), sd.close()]);

    const sheet = join(root, `${name}.png`);
    const settings = ["--model", model, "--diffusion", diffusion, "-o", sheet, "-q", "--steps", "1"];
    await reconstructCommand().parseAsync(["examples/turtle.png", ...settings], { from: "user" });
    expect((await decodeImage(await readFile(sheet), sheet)).width).toBeGreaterThan(0);

    await expect(decode(wrong, output)).rejects.toThrow(
      "decode needs an image decoder that reads what the codes become.",
    );
    await expect(decode(join(root, "nowhere"), output)).rejects.toThrow("no such diffusers folder");
  },
);

test("a damaged file is one line and does not hide the others", async () => {
  const bad = join(root, "bad.safetensors");
  await writeFile(bad, "nothing of the kind");
  const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const lines = await run(inspectCommand(), bad, `${fixture}/v1/model.safetensors`, "--json", "--no-hash");
  expect(lines).toHaveLength(1);
  expect(String(stderr.mock.calls[0])).toContain(`${bad}: expected a safetensors header`);
  expect(process.exitCode).toBe(3);
});
