/**
 * The package as it is built from these sources, for tests that need more than TypeScript: worker threads and commands as
 * processes. It is in a folder named by the hash of the sources, so it is never stale, is built once, and `dist` is left
 * alone. vitest.config.ts runs this before all tests; they find the folder as `inject("build")`.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Path of the built package. */
    build: string;
  }
}

/** What a build depends on, and what the built package finds next to it. */
const SOURCES = ["package.json", "tsconfig.json", "tsconfig.build.json", "test/build.ts", "src"];
const BESIDE = ["models", "recipes", "data", "docs", "examples"];
const BUILDS = resolve(".cache/test-builds");
const DAY_MS = 24 * 60 * 60 * 1000;

export default async function setup(project: TestProject): Promise<void> {
  project.provide("build", await build());
  project.onTestsRerun(async () => project.provide("build", await build()));
}

async function build(): Promise<string> {
  const folder = join(BUILDS, await hashOfSources());
  if (!existsSync(folder)) await make(folder);
  await utimes(folder, new Date(), new Date());
  await removeOld();
  return folder;
}

/** A package of its own, whose `imports` lead to its own dist; dependencies are found in the folders above. */
async function make(folder: string): Promise<void> {
  await mkdir(BUILDS, { recursive: true });
  const temporary = await mkdtemp(join(BUILDS, "new-"));
  const tsc = resolve("node_modules/typescript/bin/tsc");
  const options = ["-p", "tsconfig.build.json", "--outDir", join(temporary, "dist")];
  execFileSync(process.execPath, [tsc, ...options], { stdio: "inherit" });
  await writeFile(join(temporary, "package.json"), await packageWithoutSources());
  for (const name of BESIDE) await symlink(resolve(name), join(temporary, name));
  // Another run may have been faster.
  await rename(temporary, folder).catch(() => rm(temporary, { recursive: true }));
}

/** Vitest starts its threads with the condition of the sources, and those that they start inherit it. */
async function packageWithoutSources(): Promise<string> {
  return (await readFile("package.json", "utf8")).replaceAll('"@seedling/source"', '"unused"');
}

async function hashOfSources(): Promise<string> {
  const hash = createHash("sha256");
  for (const source of SOURCES) {
    const isFile = (await stat(source)).isFile();
    const files = isFile ? [source] : (await readdir(source, { recursive: true })).sort().map((f) => join(source, f));
    for (const file of files.filter((name) => /\.(ts|json)$/.test(name) && !name.endsWith(".test.ts"))) {
      const bytes = await readFile(file);
      hash.update(`${file} ${bytes.length}\n`).update(bytes);
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/** Builds that no run has used for a day. */
async function removeOld(): Promise<void> {
  for (const name of await readdir(BUILDS)) {
    const folder = join(BUILDS, name);
    const status = await stat(folder).catch(() => undefined);
    if (status && Date.now() - status.mtimeMs > DAY_MS) await rm(folder, { recursive: true, force: true });
  }
}
