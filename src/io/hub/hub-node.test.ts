import * as fs from "node:fs/promises";
import { lstat, mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type Answer,
  type Asked,
  COMMIT,
  gitSha,
  type StandInHub,
  sha256Of,
  startHub,
} from "../../../test/stand-in-hub.ts";
import { downloadModel, isModelId, modelFolder } from "./index.ts";

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof fs>();
  return { ...real, symlink: vi.fn(real.symlink), link: vi.fn(real.link) };
});

const weights = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
const config = Buffer.from('{"format":"seedling-1"}');
const contents: Record<string, Buffer> = {
  "config.json": config,
  "unet/model.safetensors": weights,
  "paper.pdf": Buffer.from("not wanted"),
};

let hub: StandInHub;
let root: string;
let log: Asked[];
let unusual: Answer;

beforeAll(async () => {
  hub = await startHub(contents, {
    onAsked: (asked) => log.push(asked),
    unusual: (...request) => unusual(...request),
  });
});
afterAll(() => hub.close());

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-hub-"));
  log = [];
  unusual = () => false;
  vi.stubEnv("HF_HUB_CACHE", root);
  vi.stubEnv("HF_ENDPOINT", hub.url);
  vi.stubEnv("HF_TOKEN", "");
  vi.stubEnv("HF_HUB_OFFLINE", "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true });
});

const isWeights = (path: string): boolean => path.endsWith("/unet/model.safetensors");

/** Sends the first bytes of the weights, then hangs up. */
const cutAfter = (bytes: number): Answer => {
  return (_, response, path) => {
    if (!isWeights(path)) return false;
    response.writeHead(200, { "Content-Length": weights.length }).write(weights.subarray(0, bytes), () => {
      response.destroy();
    });
    return true;
  };
};

async function failure(id = "o/m"): Promise<{ message: string; exitCode: number }> {
  return downloadModel(id).then(
    () => expect.unreachable(),
    (error: { message: string; exitCode: number }) => error,
  );
}

describe("a download", () => {
  test("lands in the shared cache, with totals on the way; then the cache answers", async () => {
    const seen: [number, number][] = [];
    const folder = await downloadModel("o/m", { onProgress: (done, total) => seen.push([done, total]) });
    expect(folder).toBe(join(root, "models--o--m", "snapshots", COMMIT));
    expect(await readFile(join(folder, "unet/model.safetensors"))).toEqual(weights);
    expect(await readlink(join(folder, "config.json"))).toBe(join("..", "..", "blobs", gitSha(config)));
    expect(await readdir(folder)).toEqual(["config.json", "unet"]);
    expect(await readFile(join(root, "models--o--m", "refs", "main"), "utf8")).toBe(COMMIT);
    const total = config.length + weights.length;
    expect(seen.at(-1)).toEqual([total, total]);
    expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).toSorted((a, b) => a - b));
    log = [];
    expect(await downloadModel("o/m")).toBe(folder);
    expect(log.filter(({ path }) => path.includes("/resolve/"))).toEqual([]);
  });

  test("brings only what is wanted, and the rest later", async () => {
    const wanted = (paths: readonly string[]): string[] => paths.filter((path) => path.startsWith("unet/"));
    const folder = await downloadModel("o/m", { wanted });
    expect(await readdir(folder)).toEqual(["unet"]);
    expect(await downloadModel("o/m")).toBe(folder);
    expect(await readdir(folder)).toEqual(["config.json", "unet"]);
  });

  test("HF_HOME moves the cache, HF_TOKEN is sent, HF_HUB_OFFLINE asks nobody", async () => {
    vi.stubEnv("HF_HUB_CACHE", undefined);
    vi.stubEnv("HUGGINGFACE_HUB_CACHE", undefined);
    vi.stubEnv("HF_HOME", join(root, "home"));
    vi.stubEnv("HF_TOKEN", "hf_abc");
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await failure()).toMatchObject({
      exitCode: 4,
      message: "o/m: not in the cache, and HF_HUB_OFFLINE is set. Download it once without.",
    });
    expect(log).toEqual([]);
    vi.stubEnv("HF_HUB_OFFLINE", "0");
    const folder = await downloadModel("o/m");
    expect(folder).toBe(join(root, "home", "hub", "models--o--m", "snapshots", COMMIT));
    expect(new Set(log.map(({ token }) => token))).toEqual(new Set(["Bearer hf_abc"]));
    log = [];
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await downloadModel("o/m")).toBe(folder);
    expect(await downloadModel(`o/m@${COMMIT}`)).toBe(folder);
    expect(log).toEqual([]);
  });

  test("continues where it was cut off, at once and in the next call", async () => {
    let answers = 0;
    unusual = (request, response, path) => {
      if (!isWeights(path)) return false;
      answers++;
      const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(start > 0 ? 206 : 200, { "Content-Length": weights.length - start });
      response.write(weights.subarray(start, start + 50_000), () => response.destroy());
      return true;
    };
    expect(await failure()).toMatchObject({ exitCode: 4, message: expect.stringContaining("the connection failed") });
    expect(answers).toBe(5);
    unusual = () => false;
    log = [];
    const folder = await downloadModel("o/m");
    expect(await readFile(join(folder, "unet/model.safetensors"))).toEqual(weights);
    const [asked] = log.filter(({ path }) => isWeights(path));
    expect(Number(/bytes=(\d+)-/.exec(asked!.range!)?.[1])).toBeGreaterThan(0);
  });

  test("starts again if the server ignores the range", async () => {
    unusual = cutAfter(1000);
    await failure();
    unusual = (_, response, path) => isWeights(path) && Boolean(response.writeHead(200).end(weights));
    const folder = await downloadModel("o/m");
    expect(await readFile(join(folder, "unet/model.safetensors"))).toEqual(weights);
  });

  test.each([0, 1])("links cannot be made (%i): the files themselves are in the folder", async (hardLinks) => {
    const refused = async () => Promise.reject(Object.assign(new Error("not permitted"), { code: "EPERM" }));
    vi.mocked(fs.symlink).mockImplementation(refused);
    if (hardLinks === 0) vi.mocked(fs.link).mockImplementation(refused);
    const folder = await downloadModel("o/m");
    vi.mocked(fs.symlink).mockReset();
    vi.mocked(fs.link).mockReset();
    expect((await lstat(join(folder, "config.json"))).isFile()).toBe(true);
    expect(await readFile(join(folder, "unet/model.safetensors"))).toEqual(weights);
    // As huggingface_hub leaves it there: no blobs.
    await rm(join(root, "models--o--m", "blobs"), { recursive: true });
    log = [];
    expect(await downloadModel("o/m")).toBe(folder);
    expect(log.filter(({ path }) => path.includes("/resolve/"))).toEqual([]);
  });

  test("a file that is gone is downloaded again; without a network its folder is none", async () => {
    const folder = await downloadModel("o/m");
    await rm(join(root, "models--o--m", "blobs", sha256Of(weights)));
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await failure()).toMatchObject({ exitCode: 4, message: expect.stringContaining("not in the cache") });
    vi.stubEnv("HF_HUB_OFFLINE", "");
    expect(await downloadModel("o/m")).toBe(folder);
    expect(await readFile(join(folder, "unet/model.safetensors"))).toEqual(weights);
  });

  test("tokens of other servers have other forms", async () => {
    vi.stubEnv("HF_TOKEN", "ab.cd-12");
    await downloadModel("o/m");
    expect(new Set(log.map(({ token }) => token))).toEqual(new Set(["Bearer ab.cd-12"]));
    vi.stubEnv("HF_TOKEN", "ab\ncd");
    expect(await failure()).toMatchObject({ exitCode: 4, message: expect.stringContaining("plain characters") });
  });

  test("an abort rejects with its reason", async () => {
    const stop = new AbortController();
    const downloading = downloadModel("o/m", {
      signal: stop.signal,
      onProgress: () => stop.abort(new Error("enough")),
    });
    await expect(downloading).rejects.toThrow("enough");
  });
});

describe("one clear line, and no half model, when", () => {
  /** Nothing that a model would be opened from. */
  async function expectNothing(): Promise<void> {
    const names = await readdir(join(root, "models--o--m")).catch(() => []);
    expect(names.filter((name) => name !== "blobs")).toEqual([]);
  }

  test("there is no such model", async () => {
    expect(await failure("o/other")).toEqual(
      expect.objectContaining({
        exitCode: 3,
        message: "o/other: no such model or revision on the Hub (404). Check the name.",
      }),
    );
  });

  test.each([
    [401, "", "Check the name. For a private one set HF_TOKEN."],
    [403, "hf_abc", "Check the name. HF_TOKEN is not allowed to read it."],
  ])("it is not for everyone (%d)", async (status, token, fix) => {
    vi.stubEnv("HF_TOKEN", token);
    unusual = (_, response) => Boolean(response.writeHead(status, { "Content-Type": "application/json" }).end("{}"));
    const { message, exitCode } = await failure();
    expect(message).toBe(`o/m: no such model, or access is restricted (${status}). ${fix}`);
    expect(exitCode).toBe(4);
    await expectNothing();
  });

  test("the server breaks down", async () => {
    unusual = (_, response, path) => isWeights(path) && Boolean(response.writeHead(503).end());
    expect(await failure()).toMatchObject({ exitCode: 4, message: expect.stringContaining("status 503") });
    await expectNothing();
  });

  test("the connection is cut", async () => {
    unusual = cutAfter(0);
    expect(await failure()).toMatchObject({
      exitCode: 4,
      message: expect.stringMatching(/: the connection failed \(.+\)\. Check the network and try again; .+\.$/),
    });
    await expectNothing();
  });

  test("nobody listens; a cached model is used then", async () => {
    const folder = await downloadModel("o/m");
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
    expect(await downloadModel("o/m")).toBe(folder);
    expect(await failure("o/other")).toMatchObject({
      exitCode: 4,
      message: expect.stringContaining("http://127.0.0.1:9: the connection failed"),
    });
  });

  test("the hash is wrong; the bytes are thrown away", async () => {
    const other = Buffer.from(weights).fill(7, 1000, 1001);
    unusual = (_, response, path) => isWeights(path) && Boolean(response.writeHead(200).end(other));
    expect(await failure()).toMatchObject({
      exitCode: 3,
      message: expect.stringContaining(`expected hash ${sha256Of(weights)}`),
    });
    await expectNothing();
    expect(await readdir(join(root, "models--o--m", "blobs"))).toEqual([gitSha(config)]);
  });

  test("more comes than was announced", async () => {
    unusual = (_, response, path) =>
      isWeights(path) && Boolean(response.writeHead(200).end(Buffer.concat([weights, weights])));
    expect(await failure()).toMatchObject({ exitCode: 3, message: expect.stringContaining("got more") });
    await expectNothing();
  });

  test.each([
    { path: "../evil.json" },
    { path: "/etc/evil.json" },
    { path: "C:\\evil.json" },
    { oid: "../../evil" },
    { size: -1 },
  ])("the listing cannot be trusted: %o", async (change) => {
    unusual = (_, response, path) => {
      if (!path.includes("/tree/")) return false;
      const file = { type: "file", path: "config.json", size: config.length, oid: gitSha(config), ...change };
      response.setHeader("Content-Type", "application/json").end(JSON.stringify([file]));
      return true;
    };
    expect(await failure()).toMatchObject({ exitCode: 3, message: expect.stringContaining("Do not trust it.") });
    expect(await readdir(root)).toEqual([]);
  });

  test("an answer is not JSON, or the environment is wrong", async () => {
    unusual = (_, response) => Boolean(response.setHeader("Content-Type", "text/html").end("<html>log in first"));
    expect(await failure()).toMatchObject({ exitCode: 4, message: expect.stringContaining("in JSON") });
    vi.stubEnv("HF_ENDPOINT", "https://huggingface.co/");
    vi.stubEnv("HF_TOKEN", "secret");
    const { message } = await failure();
    expect(message).toContain("HF_TOKEN: expected a token that begins with hf_");
    expect(message).not.toContain("secret");
    vi.stubEnv("HF_ENDPOINT", "mirror");
    expect(await failure()).toMatchObject({ exitCode: 4, message: expect.stringContaining('got "mirror"') });
  });
});

test("names of models and of folders are told apart", async () => {
  expect(["o/m", "o/m.v2", "some-one/a_b@v1"].map(isModelId)).toEqual([true, true, true]);
  const others = ["m", "./o/m", "/o/m", "o/m/x", "o/..", "../o", "o\\m", "o/m@../x", ""];
  expect(others.filter(isModelId)).toEqual([]);
  expect(await modelFolder("src/io/hub")).toBe("src/io/hub");
  expect(await modelFolder("./nowhere")).toBe("./nowhere");
  expect(await modelFolder("o/m")).toContain(COMMIT);
  await expect(modelFolder("o/mimi")).rejects.toMatchObject({
    exitCode: 3,
    message:
      "o/mimi: no such folder here, and none from the Hub: o/mimi: no such model or revision on the Hub (404). Check the name.",
  });
});
