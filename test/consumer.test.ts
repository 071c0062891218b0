/** A project that depends on the package: its types are complete without those of Node. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

let root: string;
beforeAll(async () => {
  // Inside the repository, so that the compiler finds the package's dependencies.
  root = await mkdtemp(join(inject("build"), "..", "consumer-"));
  await mkdir(join(root, "node_modules"));
  await symlink(inject("build"), join(root, "node_modules", "seedling"));
  await writeFile(join(root, "package.json"), '{"type":"module"}');
});
afterAll(() => rm(root, { recursive: true }));

async function compile(source: string): Promise<string> {
  await writeFile(join(root, "main.ts"), source);
  const compilerOptions = {
    target: "es2022",
    module: "nodenext",
    lib: ["es2023", "dom"],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  };
  await writeFile(join(root, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
  try {
    execFileSync(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "-p", root], { encoding: "utf8" });
    return "";
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

test("every entry type-checks without @types/node", async () => {
  const { exports } = JSON.parse(await readFile("package.json", "utf8")) as { exports: Record<string, unknown> };
  const entries = Object.keys(exports).filter((entry) => !entry.endsWith(".json"));
  expect(entries).toContain("./core");
  const names = entries.map((entry, i) => `import * as m${i} from "seedling${entry.slice(1)}";`);
  const use = `console.log(${entries.map((_, i) => `m${i}`).join()});`;
  expect(await compile([...names, use].join("\n"))).toBe("");
});

test("the README's kind of program", async () => {
  const source = `
    import { SeedTokenizer } from "seedling";
    const tokenizer = await SeedTokenizer.fromPretrained();
    const [image] = await tokenizer.encode(["photo.jpg"]);
    const codes: Int32Array | undefined = image?.codes;
    console.log(codes);
  `;
  expect(await compile(source)).toBe("");
  expect(await compile("const codes: Buffer = 1;")).toContain("Buffer");
});
