import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainTokenizer, TINY_TOKENIZER_CODES, tinyTokenizer } from "../../test/tiny-lm.ts";
import { CHATML, SEED_CHAT } from "./chat.ts";
import {
  DESCRIBING,
  expectSameCodes,
  fillRequest,
  type LmManifest,
  readLmManifest,
  templateOf,
  writeLmManifest,
} from "./lm-manifest.ts";

const manifest: LmManifest = {
  format: "seedling-lm-1",
  template: "seed",
  codes: TINY_TOKENIZER_CODES,
  codebook: "0123456789abcdef",
  requests: { describe: "describe the picture.", draw: "draw {prompt}." },
  describing: { bestOf: 8, temperature: 1, topP: 1, likelihood: 0.1 },
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "manifest-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("seedling.json", () => {
  it("comes back as it was written", async () => {
    await writeLmManifest(folder, manifest);
    expect(await readLmManifest(folder)).toEqual(manifest);
    expect(templateOf(manifest)).toBe(SEED_CHAT);
    expect(templateOf({ ...manifest, template: "chatml" })).toBe(CHATML);
  });

  it("describes as others do where it says nothing", async () => {
    const path = join(folder, "seedling.json");
    const { describing: _, ...silent } = manifest;
    await writeFile(path, JSON.stringify(silent));
    expect((await readLmManifest(folder)).describing).toEqual(DESCRIBING);
    await writeFile(path, JSON.stringify({ ...silent, describing: { bestOf: 3 } }));
    expect((await readLmManifest(folder)).describing).toEqual({ ...DESCRIBING, bestOf: 3 });
  });

  it("is missed in one line", async () => {
    const path = join(folder, "none");
    await expect(readLmManifest(path)).rejects.toThrow(
      `${join(path, "seedling.json")}: expected the requests that the model was trained on, found none.`,
    );
  });

  it.each<[string, object, string]>([
    ["an unknown template", { template: "vicuna" }, "template: "],
    ["an unknown key", { color: 1 }, 'unknown key "color"'],
    ["a codebook that is too large", { codes: 1e9 }, "codes: "],
    ["a hash that is none", { codebook: "a\nb" }, "codebook: "],
    ["descriptions by the million", { describing: { ...manifest.describing, bestOf: 1e6 } }, "describing.bestOf: "],
    ["a request without its place", { requests: { describe: "x", draw: "draw it" } }, "requests.draw: "],
  ])("with %s is refused", async (_, change, says) => {
    const path = join(folder, "seedling.json");
    await writeLmManifest(folder, manifest);
    await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), ...change }));
    await expect(readLmManifest(folder)).rejects.toThrow(`${path}: ${says}`);
  });
});

describe("codes", () => {
  const pictures = { codes: TINY_TOKENIZER_CODES, codebook: manifest.codebook };
  it.each<[string, Partial<LmManifest>, Partial<typeof pictures>, string]>([
    ["tokenizer.json", { codes: 41 }, {}, "image tokens in tokenizer.json: expected 41, got 40."],
    ["the picture tokenizer", {}, { codes: 64 }, "codes of the image tokenizer: expected 40, got 64."],
    ["another codebook", {}, { codebook: "x" }, "codebook of the image tokenizer: expected 0123456789abcdef, got x."],
  ])("of %s must be the same", (_, own, theirs, says) => {
    const check = (): void =>
      expectSameCodes({ ...manifest, ...own }, tinyTokenizer(), { ...pictures, ...theirs }, "lm");
    expect(check).toThrow(`lm: ${says} Use the tokenizer it was trained with.`);
  });

  it("need tokens for pictures", () => {
    expect(() => expectSameCodes(manifest, tinyTokenizer(), pictures, "lm")).not.toThrow();
    expect(() => expectSameCodes(manifest, plainTokenizer(), pictures, "lm")).toThrow("found none");
  });
});

it("a request takes the prompt as it is, without its final full stops", () => {
  expect(fillRequest(manifest, " two cats for $& each.. ")).toBe("draw two cats for $& each.");
});
