/** The library in headless Chromium gives the numbers of Node: pixels, codes, pictures, drawn codes, texts. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeImage } from "../../src/image/index.ts";
import { SeedLanguageModel, SeedTokenizer } from "../../src/index.ts";
import type { WorkerAnswers } from "./browser-worker.ts";
import { bundle, type FileServer, inChromium, noBrowser, SWIFTSHADER, serveFiles, startBrowser } from "./chromium.ts";
import { codesOfFiles, codesOfPixels, pixelsOf, wordsOf } from "./numbers.ts";

const EXAMPLES = ["turtle.png", "rocket-and-car.jpg", "airplane-and-house.webp"];
const MODEL = "models/seedling-mini";
const TIMEOUT_MS = 300_000;

/** What the page offers: the library, and `ask`, which runs it in a worker of the page. */
const PAGE = `
  import { decodeImage, encodePng, SeedTokenizer } from "./src/index.ts";
  import { readPngText } from "./src/image/index.ts";
  const worker = new Worker("worker.js", { type: "module" });
  let next = 0;
  const ask = (name, ...args) => new Promise((done, fail) => {
    const id = next++;
    worker.addEventListener("message", ({ data }) => {
      if (data.id === id) data.error ? fail(new Error(data.error)) : done(data.result);
    });
    worker.postMessage({ id, name, args });
  });
  Object.assign(window, { ask, decodeImage, encodePng, readPngText, SeedTokenizer });
`;

describe.skipIf(noBrowser)(inChromium, () => {
  let server: FileServer;
  let browser: Browser;
  let tokenizer: SeedTokenizer;
  const errors: string[] = [];

  const openPage = async (path: string, by: Browser = browser): Promise<Page> => {
    const page = await (await by.newContext()).newPage();
    page.on("pageerror", (error) => errors.push(error.message));
    page.setDefaultTimeout(TIMEOUT_MS);
    await page.goto(server.url + path);
    await page.waitForFunction("window.SeedTokenizer");
    return page;
  };
  /** Runs one of the worker's functions. */
  const ask = <Name extends keyof WorkerAnswers>(
    page: Page,
    name: Name,
    ...args: Parameters<WorkerAnswers[Name]>
  ): ReturnType<WorkerAnswers[Name]> =>
    page.evaluate(`ask(...${JSON.stringify([name, ...args])})`) as ReturnType<WorkerAnswers[Name]>;
  const sentBytes = (): number => [...server.sent].reduce((sum, [path, n]) => sum + (path.includes(MODEL) ? n : 0), 0);

  beforeAll(async () => {
    const wasm = ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.asyncify.wasm"];
    const html = '<!doctype html><script type="module" src="page.js"></script>';
    const page = { contents: PAGE, resolveDir: ".", loader: "ts" as const };
    server = await serveFiles({
      files: new Map([
        ["/", new TextEncoder().encode(html)],
        ["/page.js", await bundle({ stdin: page })],
        ["/worker.js", await bundle({ entryPoints: ["test/e2e/browser-worker.ts"] })],
        ["/worker-web.js", await bundle({ entryPoints: ["src/runtime/worker-web.ts"] })],
      ]),
      folders: { "/models/": "models", "/examples/": "examples", "/": "node_modules/onnxruntime-web/dist" },
    });
    expect(await Promise.all(wasm.map((name) => stat(join("node_modules/onnxruntime-web/dist", name))))).toHaveLength(
      2,
    );
    browser = await startBrowser();
    tokenizer = await SeedTokenizer.fromPretrained(undefined, { threads: 1 });
  }, TIMEOUT_MS);
  afterAll(async () => {
    await tokenizer?.close();
    await browser?.close();
    server?.close();
  });

  test("pictures decode to the same pixels, and notes come back", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage("/");
    const raw = await sharp("examples/turtle.png").raw().toBuffer({ resolveWithObject: true });
    const gif = await sharp(raw.data, { raw: raw.info }).gif().toBuffer();
    const turned = await sharp("examples/rocket-and-car.jpg").withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const files = [...(await Promise.all(EXAMPLES.map((name) => readFile(`examples/${name}`)))), gif, turned];
    for (const [i, file] of files.entries()) {
      const got = (await page.evaluate(`(async () => {
        const image = await decodeImage(Uint8Array.from(${JSON.stringify([...file])}), "picture");
        const png = await encodePng(image, { note: "grün 猫" });
        const again = await decodeImage(png, "again");
        if (again.data.some((x, i) => x !== image.data[i])) throw new Error("PNG changed pixels");
        return { width: image.width, height: image.height, data: [...image.data], note: readPngText(png, "png").get("note") };
      })()`)) as { width: number; height: number; data: number[]; note: string };
      const wanted = await decodeImage(file, "picture");
      expect([got.width, got.height, got.note]).toEqual([wanted.width, wanted.height, "grün 猫"]);
      expect(got.data.filter((x, k) => x !== wanted.data[k]).length, `picture ${i}`).toBe(0);
    }
    const refused = await page.evaluate(
      `decodeImage(new TextEncoder().encode("no picture"), "a.txt").catch((error) => error.message)`,
    );
    expect(refused).toContain("a.txt: expected a PNG, JPEG, WebP, GIF or AVIF picture, got a text file");
    await page.context().close();
  });

  test("in a worker: codes, drawn codes and texts are Node's, pictures within one; it loads what it needs, once", {
    timeout: TIMEOUT_MS,
  }, async () => {
    server.sent.clear();
    const page = await openPage("/");
    const files = EXAMPLES.map((name) => `examples/${name}`);
    expect(await ask(page, "open", `/${MODEL}`, {})).toBe(tokenizer.codebookHash);
    const wanted = await codesOfFiles(tokenizer, files);
    expect(
      await ask(
        page,
        "codesOfFiles",
        files.map((file) => `/${file}`),
      ),
    ).toEqual(wanted);
    const { size } = await stat(`${MODEL}/model.safetensors`);
    expect(sentBytes()).toBeLessThan(size + 1e6); // the weights of the tokenizer, and headers of the rest
    expect(await ask(page, "downloaded")).toEqual([size, size]);
    expect(await ask(page, "codesOfPixels")).toEqual(await codesOfPixels(tokenizer));

    const [codes = []] = wanted;
    const [got, pixels] = [await ask(page, "pixelsOf", codes), await pixelsOf(tokenizer, codes)];
    expect(Math.max(...got.map((x, i) => Math.abs(x - (pixels[i] ?? -1))))).toBeLessThanOrEqual(1);

    const model = await SeedLanguageModel.fromPretrained(undefined, { imageTokenizer: tokenizer, threads: 1 });
    expect(await ask(page, "wordsOf", `/${MODEL}`, wanted)).toEqual(await wordsOf(model, wanted));
    await model.close();
    expect(await memoryOf(page)).toBeLessThan(600e6);
    await ask(page, "close");

    // Opened again it comes from the browser's cache, without a network.
    await page.context().setOffline(true);
    await ask(page, "open", `/${MODEL}`, {});
    expect(await ask(page, "codesOfPixels", 2)).toEqual(await codesOfPixels(tokenizer, 2));
    await page.context().close();
  });

  test.each(["/isolated/", "/whole/"])(
    "%s: a page with threads, a host without ranges",
    { timeout: TIMEOUT_MS },
    async (path) => {
      const page = await openPage(path);
      expect(await page.evaluate("crossOriginIsolated")).toBe(path === "/isolated/");
      await ask(page, "open", `${path}${MODEL}`, { threads: 2 });
      expect(await ask(page, "codesOfPixels", 4)).toEqual(await codesOfPixels(tokenizer, 4));
      await page.context().close();
    },
  );

  test("called from the page itself, it computes in a worker of its own; what is missing is one line", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const page = await openPage("/");
    const got = await page.evaluate(`(async () => {
      const tokenizer = await SeedTokenizer.fromPretrained(location.origin + "/${MODEL}");
      const [{ codes }] = await tokenizer.encode(["/examples/turtle.png"]);
      await tokenizer.close();
      return [...codes];
    })()`);
    expect([got]).toEqual(await codesOfFiles(tokenizer, ["examples/turtle.png"]));
    const message = await page.evaluate(
      `SeedTokenizer.fromPretrained(location.origin + "/models/none").catch((error) => error.message)`,
    );
    expect(message).toMatch(/\/models\/none: expected config\.json,.* found none\./);
    await page.context().close();
    expect(errors).toEqual([]);
  });

  test("WebGPU (in software): the codes are those of Node", { timeout: TIMEOUT_MS }, async () => {
    const withGpu = await startBrowser(SWIFTSHADER);
    try {
      const page = await openPage("/", withGpu);
      await ask(page, "open", `/${MODEL}`, { device: "webgpu" });
      expect(await ask(page, "codesOfPixels", 1)).toEqual(await codesOfPixels(tokenizer, 1));
    } finally {
      await withGpu.close();
    }
    const page = await openPage("/");
    await ask(page, "open", `/${MODEL}`, { device: "webgpu" });
    await expect(ask(page, "codesOfPixels", 1)).rejects.toThrow("expected a GPU that WebGPU can use, found none");
    await page.context().close();
  });
});

/** Resident memory of the process that a page and its workers run in, bytes. */
async function memoryOf(page: Page): Promise<number> {
  const session = await page.context().browser()!.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const sizes = await Promise.all(
    processInfo
      .filter(({ type }) => type === "renderer")
      .map(
        async ({ id }) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${id}/status`, "utf8"))?.[1]) * 1024,
      ),
  );
  return Math.max(...sizes);
}
