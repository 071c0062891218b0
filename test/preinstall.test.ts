/** The package installs where ONNX Runtime's own script cannot download. */
import { execFileSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const LIBRARIES = ["cuda", "shared", "tensorrt"].map((name) => `libonnxruntime_providers_${name}.so`);

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-preinstall-"));
});
afterAll(() => rm(root, { recursive: true }));

/** What is in ONNX Runtime's folder of libraries after our script has run its script. */
async function librariesAfter(name: string, installScript: string | undefined): Promise<Record<string, string>> {
  const folder = join(root, name);
  const ours = join(folder, "node_modules", "seedling", "scripts");
  const theirs = join(folder, "node_modules", "onnxruntime-node");
  const libraries = join(theirs, "bin", "napi-v6", "linux", "x64");
  await mkdir(ours, { recursive: true });
  await mkdir(libraries, { recursive: true });
  await copyFile("scripts/preinstall.mjs", join(ours, "preinstall.mjs"));
  if (installScript !== undefined) {
    await mkdir(join(theirs, "script"));
    await writeFile(join(theirs, "script", "install.js"), installScript);
    await writeFile(join(theirs, "package.json"), '{"name":"onnxruntime-node"}');
  }
  execFileSync(process.execPath, [join(ours, "preinstall.mjs")]);
  const names = (await readdir(libraries)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (file) => [file, await readFile(join(libraries, file), "utf8")] as const)),
  );
}

test.skipIf(process.platform !== "linux" || process.arch !== "x64")(
  "libraries that cannot be downloaded are empty files; those that can are left as they are (Linux x64 only)",
  async () => {
    const empty = Object.fromEntries(LIBRARIES.map((name) => [name, ""]));
    expect(await librariesAfter("offline", "process.exit(1)")).toEqual(empty);
    const write = `require("fs").writeFileSync("bin/napi-v6/linux/x64/${LIBRARIES[0]}", "cuda");`;
    expect(await librariesAfter("half", `${write} process.exit(1)`)).toEqual({
      ...empty,
      [LIBRARIES[0] ?? ""]: "cuda",
    });
    expect(await librariesAfter("online", write)).toEqual({ [LIBRARIES[0] ?? ""]: "cuda" });
    expect(await librariesAfter("none", undefined)).toEqual({});
  },
);
