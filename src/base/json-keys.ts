/**
 * Strict JSON. `JSON.parse` silently keeps the last of two equal keys and builds whatever a hostile text asks for; here a
 * file that names a tensor twice is refused, and large headers are parsed member by member.
 */

import { quote } from "./one-line.ts";

/** The first key that occurs twice in one object of `json`, which must be valid JSON. */
export function duplicateKey(json: string): string | undefined {
  const objects: (Set<string> | undefined)[] = []; // one per open bracket; undefined for an array
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === "{") objects.push(new Set());
    else if (c === "[") objects.push(undefined);
    else if (c === "}" || c === "]") objects.pop();
    else if (c === '"') {
      const end = stringEnd(json, i);
      if (json[skipSpace(json, end)] === ":") {
        const key = JSON.parse(json.slice(i, end)) as string;
        const keys = objects.at(-1);
        if (keys?.has(key)) return key;
        keys?.add(key);
      }
      i = end - 1;
    }
  }
}

/**
 * The members of a JSON object as [key, text of the value], without building the object. The values are not checked.
 * @throws Error if the text is not one whole object or a key occurs twice.
 */
export function* members(json: string): Generator<[key: string, value: string]> {
  const keys = new Set<string>();
  let at = skipSpace(json, 0);
  if (json[at] !== "{") throw new Error("expected an object");
  at = skipSpace(json, at + 1);
  let closed = json[at] === "}";
  while (!closed) {
    if (json[at] !== '"') throw new Error(`expected a name at character ${at}`);
    const keyEnd = stringEnd(json, at);
    const key = JSON.parse(json.slice(at, keyEnd)) as string;
    if (keys.has(key)) throw new Error(`duplicate key ${quote(key)}`);
    keys.add(key);
    at = skipSpace(json, keyEnd);
    if (json[at] !== ":") throw new Error(`expected ":" at character ${at}`);
    const end = valueEnd(json, at + 1);
    yield [key, json.slice(at + 1, end)];
    if (json[end] !== "," && json[end] !== "}") throw new Error("cut short");
    closed = json[end] === "}";
    at = closed ? end : skipSpace(json, end + 1);
  }
  if (skipSpace(json, at + 1) < json.length) throw new Error("text after the object");
}

/** Index after the closing quote of the string that opens at `start`; the length of the text if it never closes. */
function stringEnd(json: string, start: number): number {
  for (let i = start + 1; i < json.length; i++) {
    if (json[i] === '"') return i + 1;
    if (json[i] === "\\") i++;
  }
  return json.length;
}

/** Index of the comma or bracket that ends the value starting at `start`. */
function valueEnd(json: string, start: number): number {
  let depth = 0;
  for (let i = start; i < json.length; i++) {
    const c = json[i];
    if (c === '"') i = stringEnd(json, i) - 1;
    else if (c === "{" || c === "[") depth++;
    else if (depth === 0 && (c === "," || c === "}" || c === "]")) return i;
    else if (c === "}" || c === "]") depth--;
  }
  return json.length;
}

function skipSpace(json: string, start: number): number {
  let i = start;
  while (json[i] === " " || json[i] === "\n" || json[i] === "\t" || json[i] === "\r") i++;
  return i;
}
