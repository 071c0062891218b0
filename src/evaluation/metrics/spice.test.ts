/** The adapter against a stand-in for Java: the jar itself needs CoreNLP, which no package brings. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { spice } from "./spice.ts";

const folder = await mkdtemp(join(tmpdir(), "spice-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const jar = join(folder, "spice-1.0.jar");
await writeFile(jar, "");
const pairs = [
  { candidate: "a cat", references: ["a black cat"] },
  { candidate: "of", references: ["a dog"] },
];

/** A program in place of java, whose body gets `input` (the parsed items) and `output` (a path). */
async function java(name: string, body: string): Promise<string> {
  const path = join(folder, `${name}.cjs`);
  const head = `#!${process.execPath}
const { readFileSync, writeFileSync } = require("node:fs");
const args = process.argv.slice(2);
if (args[2] !== "spice-1.0.jar") throw new Error("wrong jar");
const input = JSON.parse(readFileSync(args[3], "utf8")), output = args[args.indexOf("-out") + 1];
`;
  await writeFile(path, head + body, { mode: 0o755 });
  return path;
}

test("scores by id, in the order of the captions; one without tuples counts 0", async () => {
  const own = await java(
    "java",
    `if (input[0].test !== "a cat" || input[1].refs[0] !== "a dog") throw new Error("wrong items");
writeFileSync(output, JSON.stringify(input.reverse().map(({ image_id }) => ({ image_id, scores: { All: { f: image_id === 0 ? 0.5 : "NaN" } } }))));`,
  );
  expect(await spice(pairs, { jar, java: own })).toEqual({ score: 0.25, each: [0.5, 0] });
});

test("what is missing is named", async () => {
  await expect(spice(pairs, { jar: join(folder, "none.jar") })).rejects.toThrow("Get SPICE-1.0.zip from its authors");
  await expect(spice(pairs, { jar, java: "/no/java" })).rejects.toThrow("Install a Java runtime.");
  const bare = await java(
    "bare",
    `console.error("Exception: java.lang.NoClassDefFoundError: edu/stanford"); process.exit(1);`,
  );
  await expect(spice(pairs, { jar, java: bare })).rejects.toThrow(
    "Put stanford-corenlp-3.6.0.jar and its models into lib/",
  );
  const few = await java("few", `writeFileSync(output, "[]");`);
  await expect(spice(pairs, { jar, java: few })).rejects.toThrow("expected 2 SPICE scores, got 0 scores");
});
