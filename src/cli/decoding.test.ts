/** Published SEED and Stable Diffusion, both imported: what --diffusion and the options next to it decode. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { writeTinyDiffusion } from "../../test/tiny-diffusion.ts";
import { decodeImage } from "../image/index.ts";
import { DiffusionDecoder } from "../image-decoder/diffusion-decoder.ts";
import { importOfficial } from "../image-tokenizer/official/index.ts";
import { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { detokenizeCommand } from "./detokenize.ts";
import { importCommand } from "./import.ts";
import { writeStdout } from "./output.ts";

vi.mock("./output.ts", async (original) => ({ ...(await original<object>()), writeStdout: vi.fn() }));

const fixture = "test/fixtures/tiny-a";
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-decoding-"));
});
afterAll(() => rm(root, { recursive: true }));

async function runImport(...args: string[]): Promise<string[]> {
  const printed: string[] = [];
  vi.mocked(writeStdout).mockImplementation(async (chunk) => void printed.push(chunk as string));
  await importCommand().parseAsync(args, { from: "user" });
  return printed.join("").trimEnd().split("\n");
}

const all = (code: number): number[] => Array<number>(32).fill(code);

test.each([
  ["v2", fixture, [16], { noiseLevel: 500 }],
  ["v1", `${fixture}/v1`, [77, 12], {}],
] as const)(
  "SEED %s and an imported diffusers folder: negative codes and noise level reach the picture",
  async (name, source, shape, blur) => {
    const at = (part: string): string => join(root, `${name}-${part}`);
    const [model, published, diffusion] = [at("seed"), at("published"), at("diffusion")];
    await importOfficial([source], model);
    await writeTinyDiffusion(published, { shape });
    const lines = await runImport(published, "-o", diffusion, "-q");
    expect(lines).toContainEqual(expect.stringMatching(/vae.*: \d+ tensors, \d+ used, \d+ ignored$/));
    expect(lines).toContain("missing 0, misshaped 0, with non-finite values 0");
    await expect(runImport(source, published, "-o", at("both"))).rejects.toThrow(
      "expected a diffusers folder alone, got 2 paths.",
    );

    const [codes, avoid, two] = [at("codes.txt"), at("avoid.txt"), at("two.txt")];
    await writeFile(codes, all(3).join(" "));
    await writeFile(avoid, all(1).join(" "));
    await writeFile(two, `${all(1).join(" ")}\n${all(2).join(" ")}\n`);
    const output = at("decoded.png");
    const settings = ["--model", model, "--diffusion", diffusion, "-o", output, "-q", "--steps", "2", "--seed", "5"];
    const decode = (...more: string[]) =>
      detokenizeCommand().parseAsync([codes, ...settings, ...more], { from: "user" });
    await decode("--negative-codes", avoid, ...(name === "v2" ? ["--noise-level", "500"] : []));

    const seed = await SeedTokenizer.fromPretrained(model, { threads: 1 });
    const sd = await DiffusionDecoder.fromPretrained(published, { threads: 1 });
    const [embedding, negative] = await seed.generationEmbeddings([all(3), all(1)]);
    const options = { seed: 5, steps: 2 };
    const [picture] = await sd.decode([embedding!], { ...options, ...blur, negative: negative! });
    const [plain] = await sd.decode([embedding!], options);
    await Promise.all([seed.close(), sd.close()]);
    expect((await decodeImage(await readFile(output), output)).data).toEqual(picture!.data);
    expect(picture!.data).not.toEqual(plain!.data);

    await expect(decode("--negative-codes", two)).rejects.toMatchObject({
      exitCode: 3,
      message: `${two}: expected negative codes of one picture, got 2. Leave one line.`,
    });
    await expect(decode("--negative-codes", at("nowhere"))).rejects.toMatchObject({ exitCode: 3 });
    if (name === "v1")
      await expect(decode("--noise-level", "5")).rejects.toMatchObject({
        exitCode: 2,
        message: `noiseLevel: expected a decoder of unCLIP, got ${diffusion}, which has no image noise. Leave it out.`,
      });
  },
  400_000,
);

test("another sampler and codes to lead away from work with the model's own decoder; blurring does not", async () => {
  const [codes, avoid] = [join(root, "own.txt"), join(root, "own-avoid.txt")];
  await writeFile(codes, all(3).join(" "));
  await writeFile(avoid, all(1).join(" "));
  const decode = async (...more: string[]): Promise<Uint8Array> => {
    const output = join(root, "own.png");
    await detokenizeCommand().parseAsync([codes, "-o", output, "-q", "--steps", "2", ...more], { from: "user" });
    return (await decodeImage(await readFile(output), output)).data;
  };
  const plain = await decode();
  expect(await decode("--scheduler", "euler")).not.toEqual(plain);
  expect(await decode("--negative-codes", avoid)).not.toEqual(plain);
  await expect(decode("--noise-level", "5")).rejects.toThrow("noiseLevel: expected a decoder of unCLIP");
});
