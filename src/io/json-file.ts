/** Small JSON files (config.json and its kin): bounded, strict, and every complaint on one line. */

import type { z } from "zod";
import { InputError } from "../base/errors.ts";
import { duplicateKey } from "../base/json-keys.ts";
import { quote, reason } from "../base/one-line.ts";
import { readFileBounded } from "./files.ts";

/**
 * Reads and parses `path`.
 * @throws SetupError if it is missing; InputError if it is larger than `maxBytes` (default 1 MB), no JSON, or repeats a key.
 */
export async function readJsonFile(path: string, maxBytes = 1e6): Promise<unknown> {
  return parseJson(await readFileBounded(path, maxBytes), path);
}

/** The same for bytes in memory. */
export function parseJson(bytes: Uint8Array, where: string): unknown {
  let problem: string;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    const twice = duplicateKey(text);
    if (twice === undefined) return value;
    problem = `the key ${quote(twice)} stands there twice`;
  } catch (error) {
    problem = reason(error);
  }
  throw new InputError(`${where}: expected JSON (${problem}). Correct or copy the file again.`);
}

/** A parser of parsed JSON from a zod schema; with z.strictObject an unknown key is an error. */
export function parseWith<T>(schema: z.ZodType<T>): (json: unknown, where: string) => T {
  return (json, where) => {
    const result = schema.safeParse(json);
    if (result.success) return result.data;
    const problems = result.error.issues.map((issue) => {
      const at = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
      return issue.code === "unrecognized_keys"
        ? `${at}unknown key ${issue.keys.map((key) => quote(key)).join(", ")}`
        : `${at}${issue.message}`;
    });
    const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
    throw new InputError(
      `${where}: ${problems
        .slice(0, 3)
        .map((p) => reason(p))
        .join("; ")}${more}.`,
    );
  };
}
