/** Which base an adapter uses: what is named, what the adapter records on the Hub, or what is next to it. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type StandInHub, startHub } from "../../test/stand-in-hub.ts";
import { lmFolders } from "./lm-folders.ts";

let root: string;
let hub: StandInHub;
const asked: string[] = [];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-lm-folders-"));
  const files = { "base.gguf": Buffer.from("weights"), "other.gguf": Buffer.from("others") };
  hub = await startHub(files, { onAsked: ({ path }) => asked.push(path) });
  vi.stubEnv("HF_HUB_CACHE", join(root, "cache"));
  vi.stubEnv("HF_ENDPOINT", hub.url);
  vi.stubEnv("HF_TOKEN", "");
  vi.stubEnv("HF_HUB_OFFLINE", "");
  await adapter("on-hub", "o/m/base.gguf");
  await adapter("model/lm-adapter", "../lm");
  await mkdir(join(root, "model/lm"));
  await writeFile(join(root, "model/lm/config.json"), "{}");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  await rm(root, { recursive: true });
});

async function adapter(name: string, base: string): Promise<void> {
  await mkdir(join(root, name), { recursive: true });
  await writeFile(join(root, name, "adapter_config.json"), JSON.stringify({ base_model_name_or_path: base }));
}

test("the base that an adapter records on the Hub is downloaded once, that file alone", async () => {
  const model = join(root, "model");
  for (let i = 0; i < 2; i++) {
    const { lm } = await lmFolders(model, { adapter: join(root, "on-hub") });
    expect(await readFile(lm, "utf8")).toBe("weights");
  }
  expect(asked.filter((path) => path.endsWith("base.gguf"))).toHaveLength(1);
  expect(asked.some((path) => path.endsWith("other.gguf"))).toBe(false);
});

test("a base that is named goes before the recorded one, on the Hub or here", async () => {
  const model = join(root, "model");
  const named = await lmFolders(model, { adapter: join(root, "on-hub"), lm: "o/m/other.gguf" });
  expect(await readFile(named.lm, "utf8")).toBe("others");
  const here = join(model, "lm");
  expect(await lmFolders(model, { adapter: join(root, "on-hub"), lm: here })).toMatchObject({ lm: here });
  expect(await lmFolders(model, {})).toMatchObject({ lm: here, adapter: join(model, "lm-adapter") });
});

test("a recorded base that is here goes before the model's own, seen from here or from the adapter", async () => {
  const model = join(root, "model");
  const elsewhere = join(root, "elsewhere");
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, "base.gguf"), "weights");
  await adapter("absolute", join(elsewhere, "base.gguf"));
  await adapter("beside", "../elsewhere/base.gguf");
  await adapter("lost", join(elsewhere, "gone.gguf"));
  const lmOf = async (name: string): Promise<string> => (await lmFolders(model, { adapter: join(root, name) })).lm;
  expect(await lmOf("absolute")).toBe(join(elsewhere, "base.gguf"));
  expect(await lmOf("beside")).toBe(join(elsewhere, "base.gguf"));
  expect(await lmOf("lost")).toBe(join(model, "lm"));
});

test("parts that are missing are named", async () => {
  const model = join(root, "model");
  await expect(lmFolders(join(root, "none"), {})).rejects.toThrow("none: expected a model folder");
  const empty = join(root, "empty");
  await mkdir(empty);
  const nothing = `${empty}: expected a model folder, got an empty folder. Check the path.`;
  await expect(lmFolders(empty, {})).rejects.toThrow(nothing);
  await expect(lmFolders(model, { adapter: empty })).rejects.toThrow(
    "sees and draws, got an empty folder. Set adapter",
  );
  await expect(lmFolders(model, { lm: empty })).rejects.toThrow(".gguf file, got an empty folder. Set lm to one.");
  await expect(lmFolders(model, { adapter: join(root, "nowhere") })).rejects.toThrow("nowhere: expected the adapter");
  await expect(lmFolders(model, { lm: join(root, "gone") })).rejects.toThrow("Set lm to one.");
  await expect(lmFolders(model, { lm: "o/m/third.gguf" })).rejects.toThrow("expected a file third.gguf");
});
