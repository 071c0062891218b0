/** Captions of a user's own pictures, in the forms in which people keep them. */

import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { quote, reason, show } from "../base/one-line.ts";
import { parseDelimited } from "./delimited.ts";

const words = z.string().transform((text) => text.trim().replace(/\s+/g, " "));
const several = z.union([words.transform((text) => [text]), z.array(words)]);

/** `"a dog"`, `["a dog", "a hound"]`, or an object with `caption`, `captions` or `text`. */
const captionJson = z.union([
  several,
  z.object({ caption: several }).transform((o) => o.caption),
  z.object({ captions: several }).transform((o) => o.captions),
  z.object({ text: several }).transform((o) => o.text),
]);

const fileName = z.union([
  z.object({ file_name: z.string() }).transform((o) => o.file_name),
  z.object({ file: z.string() }).transform((o) => o.file),
  z.object({ image: z.string() }).transform((o) => o.image),
]);
const NAME_COLUMNS = ["file_name", "file", "image"];
const CAPTION_COLUMNS = ["caption", "captions", "text"];

/** COCO: pictures and captions in two lists, joined by number. */
const coco = z.object({
  images: z.array(z.object({ id: z.union([z.number(), z.string()]), file_name: z.string() })),
  annotations: z.array(z.object({ image_id: z.union([z.number(), z.string()]), caption: words })),
});

/**
 * The captions in a `.txt`, `.caption` or `.json` file next to a picture; empty if there are none.
 * @throws InputError if the JSON cannot be parsed.
 */
export function captionsBeside(text: string, ending: string, where: string): string[] {
  if (ending !== "json") return nonEmpty([words.parse(text)]);
  const parsed = captionJson.safeParse(parseJson(text, where));
  return parsed.success ? nonEmpty(parsed.data) : [];
}

/** Files that list the captions of many pictures; `metadata.jsonl` and `.csv` are those of Hugging Face's image folders. */
export const LIST_NAMES = ["captions.json", "captions.jsonl", "captions.csv", "captions.tsv"].concat(
  ...["metadata.jsonl", "metadata.csv"],
);

type Add = (name: string, captions: readonly string[]) => void;
type Report = (problem: string) => void;

/**
 * The captions of a list, by the names of the pictures as they are written there. Forms: `{ "dog.png": "a dog" }`; a
 * list, or one object per line, of `{ "file_name" | "file" | "image", "caption" | "captions" | "text" }`; COCO's `images`
 * and `annotations`; a table with such columns, or with a name and a caption in each row.
 *
 * @param where its path, whose extension tells the form
 * @param report receives one line about each entry that is none of these
 */
export function captionList(text: string, where: string, report: Report): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const add: Add = (name, captions) => {
    found.set(name, [...(found.get(name) ?? []), ...nonEmpty(captions)]);
  };
  try {
    if (/\.[ct]sv$/i.test(where)) readTable(text, where, add, report);
    else if (/\.jsonl$/i.test(where)) readLines(text, where, add, report);
    else readJson(parseJson(text, where), where, add, report);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    report(error.message);
  }
  return found;
}

function readJson(value: unknown, where: string, add: Add, report: Report): void {
  const joined = coco.safeParse(value);
  if (joined.success) {
    const names = new Map(joined.data.images.map(({ id, file_name }) => [id, file_name]));
    for (const { image_id, caption } of joined.data.annotations) {
      const name = names.get(image_id);
      if (name === undefined) report(`${where}: a caption belongs to picture ${show(image_id)}, which is not listed.`);
      else add(name, [caption]);
    }
  } else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) readEntry(item, `${where} entry ${i}`, add, report);
  } else if (value && typeof value === "object") {
    for (const [name, item] of Object.entries(value)) {
      const captions = captionJson.safeParse(item);
      if (captions.success) add(name, captions.data);
      else report(`${where}: ${quote(name)} has no caption.`);
    }
  } else report(`${where}: expected JSON with captions, got ${show(value)}.`);
}

function readLines(text: string, where: string, add: Add, report: Report): void {
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = `${where} line ${i + 1}`;
    try {
      readEntry(parseJson(line, place), place, add, report);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      report(error.message);
    }
  }
}

function readEntry(value: unknown, where: string, add: Add, report: Report): void {
  const [name, captions] = [fileName.safeParse(value), captionJson.safeParse(value)];
  if (name.success && captions.success) add(name.data, captions.data);
  else report(`${where}: expected an object with file_name and caption, got ${show(value)}.`);
}

function readTable(text: string, where: string, add: Add, report: Report): void {
  const { rows, openQuote } = parseDelimited(text, /\.tsv$/i.test(where) ? "\t" : ",");
  if (openQuote !== undefined) report(`${where} line ${openQuote}: a quote opens here and is never closed.`);
  const header = rows[0]?.fields.map((field) => field.trim().toLowerCase()) ?? [];
  const nameColumn = header.findIndex((field) => NAME_COLUMNS.includes(field));
  const captionColumn = header.findIndex((field) => CAPTION_COLUMNS.includes(field));
  const titled = nameColumn >= 0 && captionColumn >= 0;
  if (!titled && header.length !== 2) {
    report(`${where}: expected columns file_name and caption, got ${quote(rows[0]?.fields.join(", ") ?? "")}.`);
    return;
  }
  for (const { fields, line } of titled ? rows.slice(1) : rows) {
    const [name, caption] = titled ? [fields[nameColumn], fields[captionColumn]] : fields;
    if (fields.length === header.length && name && caption) add(name.trim(), [words.parse(caption)]);
    else
      report(
        `${where} line ${line}: expected ${header.length} fields with a name and a caption, got ${fields.length}.`,
      );
  }
}

/** @throws InputError if it is not JSON. */
function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${where}: expected JSON (${reason(error)}). Correct the file.`);
  }
}

const nonEmpty = (captions: readonly string[]): string[] => captions.filter((caption) => caption !== "");
