/** Captions of user data, in the forms in which people keep them. */

import { z } from "zod";
import { quote } from "../base/one-line.ts";

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

/** COCO: pictures and captions in two lists, joined by number. */
const coco = z.object({
  images: z.array(z.object({ id: z.union([z.number(), z.string()]), file_name: z.string() })),
  annotations: z.array(z.object({ image_id: z.union([z.number(), z.string()]), caption: words })),
});

/** The captions in a `.txt` or `.json` file that lies beside a picture; empty if there are none. */
export function captionsBeside(text: string, ending: string): string[] {
  if (ending !== "json") return nonEmpty([words.parse(text)]);
  const parsed = captionJson.safeParse(parseJson(text));
  return parsed.success ? nonEmpty(parsed.data) : [];
}

/**
 * A file that lists the captions of many pictures. Forms: `{ "dog.png": "a dog" }`; a list, or one object a line, of
 * `{ "file_name" | "file" | "image", "caption" | "captions" | "text" }`; COCO's `images` and `annotations`.
 *
 * @param report told in one line about each entry that is none of these
 * @returns captions by file name
 */
export function captionList(text: string, where: string, report: (problem: string) => void): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const add = (name: string, captions: readonly string[]) => {
    found.set(name, [...(found.get(name) ?? []), ...nonEmpty(captions)]);
  };
  const entry = (value: unknown, place: string) => {
    const [name, captions] = [fileName.safeParse(value), captionJson.safeParse(value)];
    if (name.success && captions.success) add(name.data, captions.data);
    else
      report(
        `${place}: expected an object with file_name and caption, got ${quote(JSON.stringify(value) ?? "nothing")}.`,
      );
  };
  const whole = where.endsWith(".jsonl") ? undefined : parseJson(text);
  const joined = coco.safeParse(whole);
  if (joined.success) {
    const names = new Map(joined.data.images.map(({ id, file_name }) => [id, file_name]));
    for (const { image_id, caption } of joined.data.annotations) {
      const name = names.get(image_id);
      if (name === undefined) report(`${where}: a caption belongs to picture ${image_id}, which is not listed.`);
      else add(name, [caption]);
    }
  } else if (Array.isArray(whole)) {
    for (const [i, value] of whole.entries()) entry(value, `${where} entry ${i}`);
  } else if (whole && typeof whole === "object") {
    for (const [name, value] of Object.entries(whole)) {
      const captions = captionJson.safeParse(value);
      if (captions.success) add(name, captions.data);
      else report(`${where}: ${quote(name)} has no caption.`);
    }
  } else if (where.endsWith(".jsonl")) {
    for (const [i, line] of text.split("\n").entries())
      if (line.trim()) entry(parseJson(line), `${where} line ${i + 1}`);
  } else {
    report(`${where}: expected JSON with captions, got ${quote(text, 40)}.`);
  }
  return found;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const nonEmpty = (captions: readonly string[]): string[] => captions.filter((caption) => caption !== "");
