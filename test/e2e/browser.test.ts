/** The library in headless Chromium gives the numbers of Node: pixels, codes, pictures. Skipped where Chromium is not. */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, resolve } from "node:path";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeImage } from "../../src/image/index.ts";
import { SeedTokenizer } from "../../src/index.ts";

const CHROMIUM = [process.env["CHROMIUM_PATH"], "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);
const skip = CHROMIUM === undefined && !process.env["SEEDLING_REQUIRE_BROWSER"];

const EXAMPLES = ["turtle.png", "rocket-and-car.jpg", "airplane-and-house.webp"];
const TIMEOUT_MS = 300_000;

/** What the page offers. `tokenizer` opens the model at an address. */
const PAGE = `
  import { decodeImage, encodePng, SeedTokenizer } from "./src/index.ts";
  import { readPngText } from "./src/image/index.ts";
  Object.assign(window, { decodeImage, encodePng, readPngText, SeedTokenizer });
`;

const MIME: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Files of the repository by path, by range too, and what was built for the page. */
async function startServer(built: ReadonlyMap<string, Uint8Array>): Promise<Server> {
  const answer = async (url: string, range: string | undefined, response: ServerResponse): Promise<void> => {
    const name = url.split("?")[0] ?? "";
    const path = resolve(`.${decodeURIComponent(name)}`);
    const inside = path.startsWith(resolve("models")) || path.startsWith(resolve("examples"));
    const found = built.get(name) ?? (inside && (await stat(path).catch(() => undefined))?.isFile() ? path : undefined);
    if (found === undefined) return void response.writeHead(404).end();
    const bytes = typeof found === "string" ? await readFile(found) : found;
    response.setHeader("Content-Type", MIME[extname(name)] ?? "application/octet-stream");
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    if (from === undefined) return void response.end(bytes);
    const piece = bytes.subarray(Number(from), Number(to) + 1);
    response.writeHead(206, {
      "Content-Range": `bytes ${from}-${Number(from) + piece.length - 1}/${bytes.length}`,
    });
    response.end(piece);
  };
  const server = createServer((request, response) => void answer(request.url ?? "/", request.headers.range, response));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}

async function bundle(options: { contents: string } | { file: string }): Promise<Uint8Array> {
  const input =
    "file" in options
      ? { entryPoints: [options.file] }
      : { stdin: { contents: options.contents, resolveDir: ".", loader: "ts" as const } };
  const { outputFiles } = await build({
    ...input,
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    conditions: ["@seedling/source"],
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

describe.skipIf(skip)(`in Chromium${skip ? " (not installed)" : ""}`, () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  let tokenizer: SeedTokenizer;
  const errors: string[] = [];

  beforeAll(async () => {
    const wasm = "ort-wasm-simd-threaded.wasm";
    server = await startServer(
      new Map([
        ["/index.html", new TextEncoder().encode('<!doctype html><script type="module" src="/page.js"></script>')],
        ["/page.js", await bundle({ contents: PAGE })],
        ["/worker-web.js", await bundle({ file: "src/runtime/worker-web.ts" })],
        [`/${wasm}`, await readFile(join("node_modules/onnxruntime-web/dist", wasm))],
      ]),
    );
    browser = await chromium.launch({ executablePath: CHROMIUM ?? "chromium", args: ["--no-sandbox"] });
    page = await browser.newPage();
    page.on("pageerror", (error) => errors.push(error.message));
    page.setDefaultTimeout(TIMEOUT_MS);
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/index.html`);
    await page.waitForFunction("window.SeedTokenizer");
    tokenizer = await SeedTokenizer.fromPretrained(undefined, { threads: 1 });
  }, TIMEOUT_MS);
  afterAll(async () => {
    await tokenizer?.close();
    await browser?.close();
    server?.close();
  });

  test("pictures decode to the same pixels, and notes come back", { timeout: TIMEOUT_MS }, async () => {
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
  });

  test("codes and pictures are those of Node", { timeout: TIMEOUT_MS }, async () => {
    const got = (await page.evaluate(`(async () => {
      const tokenizer = await SeedTokenizer.fromPretrained(location.origin + "/models/seedling-mini");
      const encoded = await tokenizer.encode(${JSON.stringify(EXAMPLES.map((name) => `/examples/${name}`))});
      const codes = encoded.map(({ codes }) => [...codes]);
      const [image] = await tokenizer.decode([codes[0]], { seed: 7, steps: 4 });
      await tokenizer.close();
      return { codes, pixels: [...image.data], hash: tokenizer.codebookHash };
    })()`)) as { codes: number[][]; pixels: number[]; hash: string };
    const encoded = await tokenizer.encode(EXAMPLES.map((name) => `examples/${name}`));
    expect(got.codes).toEqual(encoded.map(({ codes }) => [...codes]));
    expect(got.hash).toBe(tokenizer.codebookHash);
    const [image] = await tokenizer.decode([encoded[0]?.codes ?? []], { seed: 7, steps: 4 });
    const differences = got.pixels.map((x, i) => Math.abs(x - (image?.data[i] ?? -1)));
    expect(Math.max(...differences)).toBeLessThanOrEqual(1);
  });

  test("what is missing is one line", { timeout: TIMEOUT_MS }, async () => {
    const message = await page.evaluate(
      `SeedTokenizer.fromPretrained(location.origin + "/models/none").catch((error) => error.message)`,
    );
    expect(message).toMatch(/\/models\/none: expected config\.json,.* found none\./);
    expect(errors).toEqual([]);
  });
});
