import { expect, test } from "vitest";
import type { Scene } from "../data/index.ts";
import type { RgbImage } from "../image/index.ts";
import { decodeImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { DecodedScenes } from "./decoded-scenes.ts";
import { eyesSheet } from "./eyes-sheet.ts";

const SIZE = 4;
const plain = (level: number): RgbImage => ({
  width: SIZE,
  height: SIZE,
  data: new Uint8Array(SIZE * SIZE * 3).fill(level),
});
const scenes = Array.from({ length: 14 }, (_, i) => ({ size: SIZE, pixels: plain(i).data, caption: `${i}` }) as Scene);

function fakeTokenizer(capabilities: readonly string[]) {
  const calls: string[] = [];
  const tokenizer = {
    capabilities: new Set(capabilities),
    encode: async (images: readonly RgbImage[]) => {
      calls.push("encode");
      return images.map(({ data }) => ({ codes: Int32Array.of(data[0] ?? 0) }));
    },
    decode: async (codes: readonly Int32Array[], { keep }: { keep?: number }) => {
      calls.push(`decode ${keep ?? "all"}`);
      return codes.map(([code = 0]) => plain(100 + code));
    },
    decodeDraft: async (codes: readonly Int32Array[]) => {
      calls.push("decodeDraft");
      return codes.map(([code = 0]) => plain(200 + code));
    },
  };
  return { tokenizer: tokenizer as unknown as SeedTokenizer, calls };
}

test("each picture is encoded and decoded once, however often it is asked for", async () => {
  const { tokenizer, calls } = fakeTokenizer(["decodeDraft"]);
  const decoded = new DecodedScenes(tokenizer, scenes);
  await Promise.all([decoded.fromCodes(), decoded.fromCodes(), decoded.drafts()]);
  await decoded.fromCodes(4);
  await decoded.fromCodes(4);
  expect(calls.sort()).toEqual(["decode 4", "decode all", "decodeDraft", "encode"]);
});

test("sheets: rows of originals, of decoded pictures and of drafts; those of one kind do not show the originals", async () => {
  const sheets = await eyesSheet(new DecodedScenes(fakeTokenizer(["decodeDraft"]).tokenizer, scenes));
  const opened = async (part: "whole" | "decoded" | "drafts"): Promise<RgbImage> =>
    decodeImage(sheets.get(part) ?? new Uint8Array(), part);
  // Fourteen pictures in rows of twelve, doubled, each with a gap of 6.
  const cell = 2 * SIZE + 6;
  const whole = await opened("whole");
  expect([whole.width, whole.height]).toEqual([6 + 12 * cell, 6 + 6 * cell]);
  const level = ({ data, width }: RgbImage, row: number, column: number): number | undefined =>
    data[((6 + row * cell) * width + 6 + column * cell) * 3];
  expect([0, 2, 4].map((row) => level(whole, row, 3))).toEqual([3, 103, 203]);
  expect([1, 3, 5].map((row) => level(whole, row, 1))).toEqual([13, 113, 213]);
  expect(level(await opened("decoded"), 1, 1)).toBe(113);
  expect(level(await opened("drafts"), 0, 0)).toBe(200);
});

test("a model without drafts has none on the sheet", async () => {
  const sheets = await eyesSheet(new DecodedScenes(fakeTokenizer([]).tokenizer, scenes.slice(0, 2)));
  expect([...sheets.keys()]).toEqual(["whole", "decoded"]);
});
