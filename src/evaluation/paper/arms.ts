/** Results of twins as they are committed: one JSON file an arm and seed (docs/paper/README.md). */
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { exists } from "../../io/files.ts";
import { parseWith, readJsonFile } from "../../io/json-file.ts";

/** Rows of 5,000 pictures take less. */
const MAX_BYTES = 32e6;

const finite = z.number();

/** A score in percent, as a number with its interval, or as what it is computed from. */
const value = z.union([
  z.strictObject({ each: z.array(finite).min(1).describe("the score of each example; the score is their mean") }),
  z.strictObject({
    rows: z
      .array(z.array(finite).min(1))
      .min(1)
      .describe("numbers of each example, from whose sums the score is computed"),
    statistic: z.enum(["recall", "BLEU-4", "METEOR", "ratio"]),
  }),
  z.strictObject({
    right: z.int().min(0).describe("examples that are right"),
    count: z.int().min(1).describe("all examples"),
  }),
  z.strictObject({ mean: finite, low: finite.optional(), high: finite.optional(), count: z.int().min(1).optional() }),
]);

export type StoredValue = z.infer<typeof value>;

const arm = z.strictObject({
  format: z.literal("seedling-arm-1"),
  table: z.enum(["retrieval", "generation", "understanding", "causality", "ablations"]),
  arm: z.string().regex(/^[a-z0-9-]+$/),
  losses: z.enum(["published", "ours"]).default("ours"),
  seed: z.int().min(0),
  command: z.string().min(1).describe("what makes these numbers again"),
  budget: z
    .strictObject({ pictures: z.int().min(0), steps: z.int().min(0), hours: finite.min(0) })
    .partial()
    .default({}),
  commit: z.string().default(""),
  machine: z.string().default(""),
  results: z.record(z.string(), z.record(z.string(), value)).describe("set of pictures -> metric -> score"),
  sheets: z
    .array(
      z.strictObject({ file: z.string().min(1).describe("a picture file, relative to this one"), caption: z.string() }),
    )
    .default([]),
});

export type Arm = z.infer<typeof arm> & { readonly path: string };

const parse = parseWith(arm);

/**
 * All arms in a folder and those below it, by path; none if there is no such folder.
 * @throws InputError for an invalid or duplicate one
 */
export async function readArms(folder: string): Promise<Arm[]> {
  if (!(await exists(folder))) return [];
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".json")).sort();
  const arms: Arm[] = [];
  const known = new Map<string, string>();
  for (const name of names) {
    const path = join(folder, name);
    const one = { ...parse(await readJsonFile(path, MAX_BYTES), path), path };
    const key = [one.table, one.arm, one.losses, one.seed].join(" ");
    const other = known.get(key);
    if (other) throw new InputError(`${path}: expected one file of ${key}, got two: ${other} too. Remove one.`);
    known.set(key, path);
    for (const { file } of one.sheets)
      if (!(await exists(join(dirname(path), file))))
        throw new InputError(`${path}: expected the sheet ${file}, found none.`);
    arms.push(one);
  }
  return arms;
}
