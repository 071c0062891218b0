import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { reportPage } from "./page.ts";
import { readRun } from "./read-run.ts";
import { watchRun } from "./watch.ts";

let run: string;
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==",
  "base64",
);
const lines = (...list: object[]): string => list.map((line) => `${JSON.stringify(line)}\n`).join("");

beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), "seedling report "));
  await mkdir(join(run, "clip", "phase-1"), { recursive: true });
  await mkdir(join(run, "clip", "phase-2"), { recursive: true });
  await mkdir(join(run, "vae"), { recursive: true });
  const first = lines(
    { step: 10, steps: 20, loss: 3, elapsedSeconds: 5, leftSeconds: 5 },
    { step: 20, steps: 20, loss: 2, elapsedSeconds: 10, leftSeconds: 0 },
    { step: 20, "validation/recallMean": 40 },
  );
  await writeFile(join(run, "clip", "phase-1", "log.jsonl"), first);
  const second = lines(
    { features: 100, of: 200 },
    { step: 5, steps: 10, loss: 1.5, elapsedSeconds: 3, leftSeconds: 3 },
    { step: 5, warning: "gradient norm <NaN>" },
  );
  await writeFile(join(run, "clip", "phase-2", "log.jsonl"), `${second}{"step": 6, "lo`);
  await writeFile(join(run, "vae", "log.jsonl"), lines({ step: 1, steps: 1, loss: 1, elapsedSeconds: 1 }));
  await writeFile(join(run, "vae", "weights.safetensors"), "x");
  await writeFile(join(run, "vae", "samples-000001.png"), PNG);
});
afterEach(() => rm(run, { recursive: true, force: true }));

test("phases follow one another, a half-written line is left out, and weights say that a stage is finished", async () => {
  const { stages } = await readRun(run);
  const clip = stages.find(({ name }) => name === "clip")!;
  expect(clip.curves.find(({ name }) => name === "loss")).toEqual({
    name: "loss",
    steps: [10, 20, 25],
    values: [3, 2, 1.5],
  });
  expect(clip.curves.map(({ name }) => name)).not.toContain("features");
  expect(clip).toMatchObject({
    step: 25,
    steps: 30,
    seconds: 13,
    finished: false,
    warnings: ["step 25: gradient norm <NaN>"],
  });
  const vae = stages.find(({ name }) => name === "vae")!;
  expect(vae).toMatchObject({ finished: true, sheets: [{ name: "samples-000001.png", step: 1 }] });
});

test("the page asks no host for anything, holds its pictures, and no text can end its markup", async () => {
  await appendFile(join(run, "vae", "log.jsonl"), lines({ step: 1, "</script><b>": 1, warning: "<img onerror=x>" }));
  const page = await reportPage(await readRun(run));
  const markup = page.replace(/<script>[\s\S]*?<\/script>/g, "");
  expect(markup).not.toMatch(/(src|href)="(?!data:|#)/);
  expect(markup).toContain(`src="data:image/png;base64,${PNG.toString("base64")}"`);
  expect(page).not.toContain("</script><b>");
  expect(page).not.toContain("<img onerror");
  expect(page).toContain("&lt;img onerror=x&gt;");
});

test("hours, recipe, machine and commit are at the top, during a run and after it", async () => {
  const machine = { cpu: "AMD <EPYC>", cores: 2, memoryGb: 25, system: "linux x64" };
  const phase = { identity: { recipe: "92cb52fb" }, commit: `${"ab".repeat(20)}+`, machine };
  const finished = [{ ...phase, finishedAt: "2026-11-28T14:07:41.872Z" }];
  await writeFile(join(run, "vae", "run.json"), JSON.stringify({ stage: "vae", phases: 1, finished }));
  const header = async (): Promise<string> =>
    /<header>[\s\S]*<\/header>/.exec(await reportPage(await readRun(run)))![0];
  const during = (await header()).replace(/<[^>]+>/g, " ").replace(/\s+/g, " ");
  expect(during).toContain("trained for 14 s machine AMD &lt;EPYC&gt;, 2 cores, 25 GB, linux x64 ");
  expect(during).toContain(" commit abababababab+ date 2026-11-28 14:07 UTC");
  expect(await reportPage(await readRun(run))).toContain("<code>92cb52fb</code>");
  const record = { chain: "mini", commit: "v0.1.0", machine, date: "2026-11-29T00:00:00.000Z", hours: 1 };
  await writeFile(join(run, "training.json"), JSON.stringify(record));
  const after = (await header()).replace(/<[^>]+>/g, " ").replace(/\s+/g, " ");
  expect(after).toContain("recipe mini machine AMD &lt;EPYC&gt;, 2 cores, 25 GB, linux x64 ");
  expect(after).toContain(" commit abababababab+; v0.1.0 date 2026-11-29 00:00 UTC");
});

test("a watched run is served to this machine only, and its version changes with the log", async () => {
  const watcher = await watchRun(run, 0);
  try {
    const get = (path: string, host = "localhost"): Promise<{ status: number; body: string }> =>
      new Promise((done, fail) => {
        const sent = request(new URL(path, watcher.url), { headers: { host } }, async (answer) => {
          const parts: Buffer[] = [];
          for await (const part of answer) parts.push(part as Buffer);
          done({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString() });
        });
        sent.on("error", fail).end();
      });
    expect((await get("/")).body).toContain("<!doctype html>");
    const before = await get("/version");
    expect((await get("/version")).body).toBe(before.body);
    await appendFile(join(run, "vae", "log.jsonl"), lines({ step: 2, loss: 0.5 }));
    expect((await get("/version")).body).not.toBe(before.body);
    expect((await get("/", "evil.example")).status).toBe(403);
    expect((await get("/../../etc/passwd")).status).toBe(404);
  } finally {
    await watcher.close();
  }
});

test("a folder that is not a run, or none at all, is one clear line", async () => {
  await expect(readRun(join(run, "none"))).rejects.toThrow("expected a run folder, found none");
  await mkdir(join(run, "empty"));
  await expect(readRun(join(run, "empty"))).rejects.toThrow("Train a stage first");
});
