/** Small JSON files such as config.json: bounded, strict, one-line errors. */

import { InputError } from "../base/errors.ts";
import { duplicateKey } from "../base/json-keys.ts";
import { quote, reason } from "../base/one-line.ts";
import { readFileBounded } from "./files.ts";

export { parseWith } from "../base/parse-with.ts";

/**
 * Reads and parses `path`.
 * @throws InputError if it is missing, larger than `maxBytes` (default 1 MB), not JSON, or repeats a key.
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
    problem = `duplicate key ${quote(twice)}`;
  } catch (error) {
    problem = reason(error);
  }
  throw new InputError(`${where}: expected JSON (${problem}). Correct or copy the file again.`);
}
