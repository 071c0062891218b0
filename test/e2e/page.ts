/** The page, built from these sources, and what a person does with it. */
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

/** Builds the page against a built package. */
export async function buildPage(outDir: string, packageFolder: string): Promise<void> {
  const { build } = await import("vite");
  await build({
    configFile: resolve("web/vite.config.ts"),
    logLevel: "error",
    resolve: { alias: { seedling: join(packageFolder, "dist/index.js") } },
    build: { outDir, emptyOutDir: true },
  });
}

/** A screenshot of each state, where they are wanted: SEEDLING_SCREENSHOTS names a folder. */
export async function shot(page: Page, name: string): Promise<void> {
  const folder = process.env["SEEDLING_SCREENSHOTS"];
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

/** Nothing is being computed, and nothing went wrong. */
async function settled(page: Page, panel: string): Promise<void> {
  await expect.poll(() => page.locator(`#panel-${panel} .busy`).count(), { timeout: 120_000 }).toBe(0);
  expect(await page.locator(`#panel-${panel} [role=alert]`).allTextContents()).toEqual([]);
}

export interface Visit {
  readonly page: Page;
  /** For the names of screenshots. */
  readonly engine: string;
  /** Folder for downloads. */
  readonly folder: string;
  /** Drawings at once. */
  readonly pictures: number;
}

/** A picture becomes codes and a picture again; the slider; a question; another picture next to it; what is not a picture. */
export async function see({ page, engine }: Visit): Promise<void> {
  await page.getByRole("tab", { name: "See" }).click();
  await page.getByRole("button", { name: "Example: turtle png" }).first().click();
  const chips = page.getByRole("list", { name: "Codes of the picture in causal order" }).first().getByRole("button");
  await chips.nth(31).waitFor();
  await page.getByText(/^from 32 codes/).waitFor();
  await settled(page, "see");
  await page.locator(".description", { hasText: /\w/ }).waitFor();
  await shot(page, `${engine}-see`);

  const last = page.getByRole("img", { name: /^Decoded from/ });
  const whole = await last.getAttribute("src");
  await chips.nth(3).hover();
  await page.getByText(/^Code \d+ is (also )?in|no sample pictures/).waitFor();
  await chips.nth(3).click();
  await page.getByText(/^from 4 codes/).waitFor();
  expect(await last.getAttribute("src")).not.toBe(whole);
  await page.getByRole("slider", { name: /Codes used/ }).fill("32");
  await page.getByText(/^from 32 codes/).waitFor();
  expect(await last.getAttribute("src"), "the same codes and seed").toBe(whole);

  await page.getByLabel("A question about the picture").fill("what color is the background?");
  await page.getByRole("button", { name: "Ask" }).click();
  await page.locator("dd", { hasText: /\w/ }).waitFor();

  await page.getByText("Compare with another picture").click();
  await page.getByRole("button", { name: "Example: turtle png" }).nth(1).click();
  await page.getByText("32 of 32 codes equal").waitFor();
  await shot(page, `${engine}-see-compared`);

  await page
    .locator("#panel-see input[type=file]")
    .first()
    .setInputFiles({
      name: "notes.txt",
      mimeType: "text/plain",
      buffer: Buffer.from("not a picture"),
    });
  await page.getByText("This is not a PNG, JPEG, WebP, GIF or AVIF picture.").waitFor();
  await page
    .locator("#panel-see input[type=file]")
    .first()
    .setInputFiles({
      name: "broken.png",
      mimeType: "image/png",
      buffer: Buffer.from("\x89PNG\r\n\x1a\nnot really", "latin1"),
    });
  await page.locator("#panel-see [role=alert]", { hasText: /damaged PNG picture/ }).waitFor();
  await shot(page, `${engine}-see-error`);
}

/** Drawings; a download that gives everything back; the history. */
export async function draw({ page, engine, folder, pictures }: Visit): Promise<void> {
  await page.getByRole("tab", { name: "Draw" }).click();
  const panel = page.locator("#panel-draw");
  const field = (label: string): Locator => panel.getByLabel(label, { exact: true });
  await field("Prompt").fill("a red apple");
  await field("Seed").fill("5");
  await field("Pictures").fill(String(pictures));
  await field("Guidance").fill("2");
  await panel.getByRole("button", { name: "Draw", exact: true }).click();
  await panel
    .getByText(/of 32 codes/)
    .first()
    .waitFor();
  await shot(page, `${engine}-draw-busy`);
  await panel
    .getByText(`seed ${4 + pictures}`, { exact: true })
    .first()
    .waitFor();
  await settled(page, "draw");
  await panel.getByRole("button", { name: "a red apple, seed 5" }).first().click();
  const download = panel.getByRole("link", { name: "Download" });
  const url = (await download.getAttribute("href")) ?? "";
  const file = join(folder, `${engine}.png`);
  await writeFile(file, Buffer.from(url.slice(url.indexOf(",") + 1), "base64"));
  expect((await readFile(file)).toString("latin1")).toContain('"prompt":"a red apple"');
  await shot(page, `${engine}-draw`);

  await page.reload();
  await page.getByText(`Earlier drawings (${pictures})`).waitFor();
  expect(await field("Prompt").inputValue()).not.toBe("a red apple");
  await panel.getByText("Get the recipe of a picture back").click();
  await panel.locator("input[type=file]").setInputFiles(file);
  await panel.getByText("The recipe of this picture is filled in.").waitFor();
  const values = ["Prompt", "Seed", "Guidance"].map((label) => field(label).inputValue());
  expect(await Promise.all(values)).toEqual(["a red apple", "5", "2"]);
  await shot(page, `${engine}-draw-recipe`);
  await field("Pictures").fill("1");
  await panel.getByRole("button", { name: "Draw", exact: true }).click();
  await page.getByText(`Earlier drawings (${pictures + 1})`).waitFor();
  await panel.getByRole("button", { name: "a red apple, seed 5" }).first().click();
  expect(await pixelsOf(panel.locator("img.big")), "the same recipe, the same picture").toEqual(
    await pixelsOf(url, page),
  );

  await panel.getByText(/^Earlier drawings/).click();
  await panel.getByRole("button", { name: "Forget them" }).click();
  await expect.poll(() => panel.getByText(/^Earlier drawings/).count()).toBe(0);
  await panel.getByRole("button", { name: "Look at its codes" }).click();
  await page
    .locator("#panel-see")
    .getByText(/^from 32 codes/)
    .waitFor();
}

/** A question about a picture, another try, a new conversation with a drawing, which is kept; an edit, a stop. */
export async function chat({ page, engine }: Visit): Promise<void> {
  await page.getByRole("tab", { name: "Chat" }).click();
  const panel = page.locator("#panel-chat");
  const send = async (text: string): Promise<void> => {
    await panel.getByLabel("Message").fill(text);
    await panel.getByRole("button", { name: "Send" }).click();
  };
  await panel.locator("input[type=file]").setInputFiles(resolve("web/public/examples/turtle.png"));
  await panel.getByRole("img", { name: "Attached" }).waitFor();
  await send("what color is the background?");
  await panel.locator("li.assistant p", { hasText: /\w/ }).waitFor();
  await settled(page, "chat");
  await panel.getByRole("button", { name: "Try again" }).click();
  await panel.locator("li.assistant p", { hasText: /\w/ }).waitFor();
  await settled(page, "chat");

  await panel.getByRole("button", { name: "New conversation" }).click();
  expect(await panel.locator("li").count()).toBe(0);
  await send("draw a blue car");
  await panel.locator("li.assistant img").waitFor();
  await settled(page, "chat");
  await shot(page, `${engine}-chat`);
  await page.reload();
  await panel.locator("li.assistant img").waitFor();

  await panel.getByRole("button", { name: "Edit" }).last().click();
  expect(await panel.getByLabel("Message").inputValue()).toBe("draw a blue car");
  expect(await panel.locator("li").count()).toBe(0);
  await send("draw a green tree");
  // At once: a click waits until the button does not move any more, and the reply may have ended by then.
  await panel.getByRole("button", { name: "Stop" }).dispatchEvent("click");
  await settled(page, "chat");
  expect(await panel.locator("li").count()).toBe(1);
}

/** Pixels of a picture that is shown, or of a data URL. */
async function pixelsOf(what: Locator | string, page?: Page): Promise<number[]> {
  const read = async (image: HTMLImageElement): Promise<number[]> => {
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
    context.drawImage(image, 0, 0);
    return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
  };
  if (typeof what !== "string") return what.evaluate(read as never);
  const made = await page!.evaluateHandle(`Object.assign(new Image(), { src: ${JSON.stringify(what)} })`);
  return made.evaluate(read as never);
}
