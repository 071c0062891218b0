/** Files by name, and the commands that take them, against the stand-in for the Hub. */
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { COMMIT, type StandInHub, startHub } from "../../../test/stand-in-hub.ts";
import { importCommand } from "../../cli/import.ts";
import { inspectCommand } from "../../cli/inspect.ts";
import { writeJson, writeStdout } from "../../cli/output.ts";
import { importOfficial } from "../../image-tokenizer/official/index.ts";
import { localFile, parseHubFile } from "./index.ts";

vi.mock("../../cli/output.ts", async (original) => ({
  ...(await original<object>()),
  writeJson: vi.fn(),
  writeStdout: vi.fn(),
}));

const fixture = "test/fixtures/tiny-a";
let root: string;
let hub: StandInHub;
let asked: string[];
let cache: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-hub-file-"));
  const files: Record<string, Buffer> = { "README.md": Buffer.from("read me") };
  files["seed/model.pt"] = await readFile(`${fixture}/model.pt`);
  files["seed/config.json"] = await readFile(`${fixture}/config.json`);
  files["other.pth"] = Buffer.from("another");
  hub = await startHub(files, { onAsked: ({ path }) => asked.push(path) });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  await rm(root, { recursive: true });
});
beforeEach(async () => {
  asked = [];
  cache = await mkdtemp(join(root, "cache-"));
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("HF_ENDPOINT", hub.url);
  vi.stubEnv("HF_TOKEN", "");
  vi.stubEnv("HF_HUB_OFFLINE", "");
});

async function run(command: ReturnType<typeof importCommand>, ...args: string[]): Promise<string> {
  const printed: string[] = [];
  vi.mocked(writeStdout).mockImplementation(async (chunk) => void printed.push(chunk as string));
  vi.mocked(writeJson).mockImplementation(async (value) => void printed.push(`${JSON.stringify(value)}\n`));
  await command.parseAsync(args, { from: "user" });
  return printed.join("");
}

test("names of files are told from paths", () => {
  expect(parseHubFile("o/m/a.pt")).toEqual({ id: "o/m", path: "a.pt" });
  expect(parseHubFile("o/m@v1.0/unet/b.safetensors")).toEqual({ id: "o/m@v1.0", path: "unet/b.safetensors" });
  expect(parseHubFile("o/m/a.gguf", "gguf")).toEqual({ id: "o/m", path: "a.gguf" });
  for (const path of ["o/m/a.pt", "o/m/a.safetensors", "./runs/mini/a.gguf"])
    expect(parseHubFile(path, "gguf")).toBeUndefined();
  for (const path of [
    "o/m/a.gguf",
    "o/m",
    "a.pt",
    "o/a.pt",
    "./o/m/a.pt",
    "/o/m/a.pt",
    "o/m/../a.pt",
    "o/m/a.png",
    "o\\m\\n\\a.pt",
  ])
    expect(parseHubFile(path)).toBeUndefined();
});

test("import and inspect take a file by its name, with the config.json next to it and nothing else", async () => {
  const [here, there] = [join(root, "here"), join(root, "there")];
  await importOfficial([fixture], here);
  await run(importCommand(), "o/m/seed/model.pt", "-o", there, "-q");
  for (const name of ["config.json", "model.safetensors"])
    expect((await readFile(join(there, name))).equals(await readFile(join(here, name)))).toBe(true);
  const snapshot = join(cache, "models--o--m", "snapshots", COMMIT);
  expect(await readdir(snapshot)).toEqual(["seed"]);
  expect((await readdir(join(snapshot, "seed"))).sort()).toEqual(["config.json", "model.pt"]);
  asked = [];
  const printed = await run(inspectCommand(), "o/m/seed/model.pt", "--json", "--no-hash");
  expect(JSON.parse(printed)).toMatchObject({ file: join(snapshot, "seed", "model.pt") });
  expect(asked.filter((path) => path.includes("/resolve/"))).toEqual([]);
});

test("what is not there is one line", async () => {
  await expect(localFile("o/m/model.pt")).rejects.toMatchObject({
    exitCode: 3,
    message: "o/m: expected a file model.pt, found none. Its files of that kind: seed/model.pt, other.pth.",
  });
  await expect(localFile("o/n/model.pt")).rejects.toMatchObject({
    exitCode: 3,
    message: expect.stringContaining("o/n: no such model or revision"),
  });
  await expect(run(importCommand(), "o/m", "-o", join(root, "none"), "-q")).rejects.toMatchObject({
    exitCode: 3,
    message:
      "o/m: expected model_index.json of a diffusers folder, found none. Name one of its files: seed/model.pt, other.pth.",
  });
  expect(await readdir(cache)).toEqual([]);
  await localFile("o/m/other.pth");
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  expect(await localFile("o/m/other.pth")).toBe(join(cache, "models--o--m", "snapshots", COMMIT, "other.pth"));
  await expect(localFile("o/m/seed/model.pt")).rejects.toMatchObject({
    exitCode: 4,
    message: "o/m/seed/model.pt: not in the cache, and the Hub was not reached. Download it once with a network.",
  });
});

test("a path whose first folder is here is a path", async () => {
  expect(await localFile("src/none/model.pt")).toBe("src/none/model.pt");
  await expect(run(importCommand(), "src/none", "-o", join(root, "none"), "-q")).rejects.toThrow("no such file");
  expect(asked).toEqual([]);
});

test("a diffusers model is imported by its name", async () => {
  const contents: Record<string, Buffer> = { "unet/diffusion_pytorch_model.non_ema.bin": Buffer.from("not wanted") };
  const folder = join(root, "sd1");
  await cp("test/fixtures/diffusers/sd1", folder, { recursive: true });
  for (const name of await readdir(folder, { recursive: true }))
    if (/\/.*\.(json|safetensors)$|^model_index/.test(name)) contents[name] = await readFile(join(folder, name));
  const other = await startHub(contents);
  vi.stubEnv("HF_ENDPOINT", other.url);
  const to = join(root, "sd1-imported");
  const report = JSON.parse(await run(importCommand(), "o/m", "-o", to, "-q", "--json")) as { files: unknown[] };
  await other.close();
  expect(report.files).toHaveLength(3);
  expect((await readdir(to)).sort()).toEqual(["model_index.json", "scheduler", "text_encoder", "unet", "vae"]);
});
