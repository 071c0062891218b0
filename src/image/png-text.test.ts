import fc from "fast-check";
import { expect, test } from "vitest";
import { InputError } from "../base/errors.ts";
import { encodePng } from "./encode.ts";
import { readPngText, textChunk } from "./png-text.ts";

const picture = { width: 3, height: 2, data: new Uint8Array(18).fill(7) };
const notes = { codes: "1 2 3", prompt: "zwei grüne Katzen", Title: "猫 and \n more" };

const HEADER = 33;
/** A picture with this chunk after its header. */
async function withChunk(chunk: Uint8Array): Promise<Buffer> {
  const png = Buffer.from(await encodePng(picture));
  return Buffer.concat([png.subarray(0, HEADER), chunk, png.subarray(HEADER)]);
}

test("notes come back, Latin-1 and others", async () => {
  expect(Object.fromEntries(readPngText(await encodePng(picture, notes), "a.png"))).toEqual(notes);
  expect(readPngText(await encodePng(picture), "a.png").size).toBe(0);
});

test("of equal keywords the first counts", async () => {
  const both = Buffer.concat([textChunk("a", "first"), textChunk("a", "second")]);
  expect(readPngText(await withChunk(both), "a.png").get("a")).toBe("first");
});

function withoutEnd(chunk: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk]);
}

test.each<[string, () => Promise<Uint8Array>, string]>([
  ["text", async () => Buffer.from("hello"), "x.png: expected a PNG picture, got another kind of file."],
  ["nothing", async () => new Uint8Array(), "x.png: expected a PNG picture, got another kind of file."],
  ["a cut file", async () => (await encodePng(picture)).subarray(0, 40), "it ends within a chunk"],
  ["a file without end", async () => withoutEnd(textChunk("a", "b")), "its end is missing"],
  [
    "a chunk that claims gigabytes",
    async () => {
      const chunk = textChunk("a", "b");
      chunk.set([255, 255, 255, 240]);
      return withChunk(chunk);
    },
    "x.png: damaged PNG picture (it ends within a chunk). Save or download it again.",
  ],
  ["a very long note", async () => withChunk(textChunk("a", "b".repeat(200_001))), "a note of 200003 bytes"],
  [
    "very many notes",
    async () => withChunk(Buffer.concat(Array.from({ length: 101 }, (_, i) => textChunk(`k${i}`, "b")))),
    "more than 100 notes",
  ],
  [
    "a wrong checksum",
    async () => {
      const chunk = textChunk("a", "b");
      chunk[10]! ^= 1;
      return withChunk(chunk);
    },
    "the checksum of a note is wrong",
  ],
])("%s: one line", async (_, make, says) => {
  const bytes = await make();
  expect(() => readPngText(bytes, "x.png")).toThrow(says);
});

test("damaged bytes give notes or one line", async () => {
  const png = await encodePng(picture, notes);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
      fc.option(fc.nat()),
      (edits, cut) => {
        const bytes = Buffer.from(png);
        for (const [at, value] of edits) bytes[at % bytes.length] = value;
        try {
          readPngText(cut === null ? bytes : bytes.subarray(0, cut % bytes.length), "x");
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).not.toMatch(/[\r\n]/);
        }
      },
    ),
  );
});
