/** A visit of the page in headless Chromium, with the model on a server and in the browser: every state that it has. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { encodePng } from "../../src/image/index.ts";
import { createApp } from "../../src/server/app.ts";
import { type Listening, listen } from "../../src/server/listen.ts";
import { ModelPool } from "../../src/server/model-pool.ts";
import { openServedModel } from "../../src/server/open-model.ts";
import { writeStaticSite } from "../../src/server/static-site.ts";
import { type FileServer, inChromium, noBrowser, serveFiles, startBrowser } from "./chromium.ts";
import { buildPage, chat, draw, see, shot } from "./page.ts";

const MODEL = resolve("models/seedling-mini");
const TIMEOUT_MS = 600_000;
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
/** Milliseconds from the start of the visit until there is something to see, as the browser measures it. */
const FIRST_PAINT = `new Promise((done) => new PerformanceObserver((list) =>
  list.getEntriesByName("first-contentful-paint").forEach(({ startTime }) => done(startTime))
).observe({ type: "paint", buffered: true }))`;
const WIDTHS = [360, 768, 1280];

describe.skipIf(noBrowser)(inChromium, () => {
  let folder: string;
  let pool: ModelPool;
  let server: Listening;
  let site: FileServer;
  let browser: Browser;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "seedling-page-"));
    const built = join(folder, "page");
    const quick = join(folder, "model");
    await writeQuickModel(quick);
    await buildPage(built, inject("build"));
    await writeStaticSite(join(folder, "site"), built, new Map([["seedling-mini", quick]]));
    site = await serveFiles({ folders: { "/some/folder/": join(folder, "site") } });
    const open = () => openServedModel(MODEL, { id: "seedling-mini", threads: 1 });
    pool = new ModelPool([{ id: "seedling-mini", open }], { maxWaiting: 10, keepAliveMs: 0 });
    const app = createApp({
      ...{ pool, version: "0", hosts: ["127.0.0.1"], origins: [], maxBodyBytes: 32e6, deadlineMs: 0, png: encodePng },
      pictures: { maxBytes: 32e6, allowUrls: false },
      page: built,
      modelFolders: new Map([["seedling-mini", quick]]),
    });
    server = await listen(app, { host: "127.0.0.1", port: 0, graceMs: 1000 });
    browser = await startBrowser();
  }, TIMEOUT_MS);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await pool?.close();
    site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** A page whose errors and requests to other hosts fail the test. */
  async function visit(url: string): Promise<{ page: Page; problems: string[] }> {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(TIMEOUT_MS / 3);
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (/^http/.test(protocol) && origin !== new URL(url).origin) problems.push(`asked ${request.url()}`);
    });
    await page.goto(url);
    await page.getByText(/^Computed /).waitFor();
    return { page, problems };
  }

  test("on the server: see, draw, chat; no serious fault of accessibility in any width and theme", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { page, problems } = await visit(server.url);
    await page.getByText("Computed on the server.").waitFor();
    await see({ page, folder, engine: "server", pictures: 2 });
    await draw({ page, folder, engine: "server", pictures: 2 });
    await chat({ page, folder, engine: "server", pictures: 2 });
    await page.evaluate(await readFile(AXE, "utf8"));
    const found = [];
    for (const theme of ["light", "dark"])
      for (const width of WIDTHS)
        for (const tab of ["See", "Draw", "Chat"]) {
          await page.setViewportSize({ width, height: 800 });
          await page.getByLabel("Colors").selectOption(theme);
          await page.getByRole("tab", { name: tab }).click();
          await shot(page, `${theme}-${width}-${tab}`);
          found.push(...(await faults(page)).map((fault) => `${theme} ${width} ${tab}: ${fault}`));
        }
    expect(found).toEqual([]);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("first paint within a second", { timeout: TIMEOUT_MS }, async () => {
    const times: number[] = [];
    // The best of five: what else runs on the machine can only add.
    while (times.length < 5 && !(Math.min(...times) < 1000)) {
      const page = await (await browser.newContext()).newPage();
      await page.goto(server.url, { timeout: TIMEOUT_MS });
      times.push((await page.evaluate(FIRST_PAINT)) as number);
      await page.context().close();
    }
    expect(Math.min(...times)).toBeLessThan(1000);
  });

  test("the same page switches to the browser, and remembers it", { timeout: TIMEOUT_MS }, async () => {
    const { page, problems } = await visit(server.url);
    await page.getByLabel("Where to compute").selectOption("in this browser");
    await page.getByRole("button", { name: "Example: turtle png" }).first().click();
    await page.getByText(/^from 32 codes/).waitFor();
    await page.reload();
    await page.getByText("Computed in this browser.").waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("as static files in a folder of a host: see, draw, chat; and without a network", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { page, problems } = await visit(`${site.url}/some/folder/`);
    await see({ page, folder, engine: "browser", pictures: 1 });
    await draw({ page, folder, engine: "browser", pictures: 1 });
    await chat({ page, folder, engine: "browser", pictures: 1 });
    await page.context().setOffline(true);
    await page.reload();
    await page.getByRole("tab", { name: "See" }).click();
    await page.getByRole("button", { name: "Example: turtle png" }).first().click();
    await page.getByText(/^from 32 codes/).waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  });
});

/** The shipped model, in fewer steps and tries: a browser's WebAssembly is slow, and the page is the same. */
async function writeQuickModel(folder: string): Promise<void> {
  await cp(MODEL, folder, { recursive: true });
  const change = async (name: string, more: (json: Record<string, object>) => object): Promise<void> => {
    const json = JSON.parse(await readFile(join(folder, name), "utf8")) as Record<string, object>;
    await writeFile(join(folder, name), JSON.stringify({ ...json, ...more(json) }));
  };
  await change("scheduler.json", () => ({ steps: 5 }));
  await change("lm-adapter/seedling.json", ({ describing }) => ({ describing: { ...describing, bestOf: 4 } }));
}

/** What axe-core finds serious, in words, and whether the page is wider than its window. */
async function faults(page: Page): Promise<string[]> {
  const { violations } = (await page.evaluate("axe.run()")) as {
    violations: { id: string; impact: string; nodes: { html: string }[] }[];
  };
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
  return [...serious.map(({ id, nodes }) => `${id} at ${nodes[0]?.html}`), ...(wide ? ["scrolls sideways"] : [])];
}
