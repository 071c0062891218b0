/** Lists and annotations of data sets: JSON files of hundreds of megabytes at most, with their hash. */
import { basename, join } from "node:path";
import { z } from "zod";
import { decodeText } from "../../base/decode-text.ts";
import { InputError } from "../../base/errors.ts";
import { duplicateKey } from "../../base/json-keys.ts";
import { quote, reason } from "../../base/one-line.ts";
import { exists, readFileBounded } from "../../io/files.ts";
import { sha256 } from "../../io/hash.ts";
import type { Problems } from "./problems.ts";

/** The largest, VQAv2's answers of its training split, has 380 MB. */
const MAX_BYTES = 1e9;

export interface ListFile {
  /** Its name without folders. */
  readonly name: string;
  readonly sha256: string;
}

/** Where lists are, relative to the folder of a data set. */
const FOLDERS = ["", "annotations", "annotation", "questions"];

/** The first of the names that is there, in the folder itself or in one for annotations. @throws InputError naming all */
export async function findList(folder: string, names: readonly string[]): Promise<string> {
  for (const name of names)
    for (const below of FOLDERS) if (await exists(join(folder, below, name))) return join(folder, below, name);
  throw new InputError(`${folder}: expected ${names.join(" or ")}, here or in annotations/, found none. Put it there.`);
}

/** @throws InputError if it is not JSON, has a key twice, is in an unknown encoding or too large for a list */
export async function readList(path: string): Promise<{ readonly json: unknown; readonly file: ListFile }> {
  const bytes = await readFileBounded(path, MAX_BYTES);
  const text = decodeText(bytes, path).replace(/^\uFEFF/, "");
  const file = { name: basename(path), sha256: sha256().update(bytes).hex() };
  let problem: string;
  try {
    const json: unknown = JSON.parse(text);
    const twice = duplicateKey(text);
    if (twice === undefined) return { json, file };
    problem = `duplicate key ${quote(twice)}`;
  } catch (error) {
    problem = reason(error);
  }
  throw new InputError(`${path}: expected JSON (${problem}). Copy the file again.`);
}

/** The valid entries; the others are counted as wrong. */
export function goodEntries<T>(
  entries: readonly unknown[],
  schema: z.ZodType<T>,
  where: string,
  problems: Problems,
): T[] {
  return entries.flatMap((entry, i) => {
    const parsed = schema.safeParse(entry);
    if (parsed.success) return [parsed.data];
    const { path = [], message = "" } = parsed.error.issues[0] ?? {};
    problems.add(
      "wrong entries",
      `${where} entry ${i}: ${path.join(".")}${path.length > 0 ? ": " : ""}${reason(message)}`,
    );
    return [];
  });
}

/** Only the first entry of each id; others are counted. */
export function onceEach<T>(entries: readonly T[], idOf: (entry: T) => string, kind: string, problems: Problems): T[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const id = idOf(entry);
    if (seen.has(id)) problems.add(kind, id);
    return !seen.has(id) && seen.add(id);
  });
}

export const id = z.union([z.int(), z.string().min(1)]).transform(String);
