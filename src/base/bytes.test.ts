import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes, dataView, fromLatin1, fromUtf8, latin1, startsWith, utf8 } from "./bytes.ts";

test("bytes and text as Buffer has them", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.string({ unit: "grapheme" }), (bytes, text) => {
      expect(fromLatin1(bytes)).toBe(Buffer.from(bytes).toString("latin1"));
      expect(latin1(fromLatin1(bytes))).toEqual(bytes);
      expect(fromUtf8(bytes)).toBe(Buffer.from(bytes).toString("utf8"));
      expect(fromUtf8(utf8(text))).toBe(Buffer.from(text).toString("utf8"));
      expect(concatBytes([bytes, utf8(text)])).toEqual(new Uint8Array(Buffer.concat([bytes, Buffer.from(text)])));
    }),
  );
  expect(latin1("é猫")).toBeUndefined();
  expect(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 65))).toBe("\ufeffA");
});

test("starts and numbers of a piece of a larger array", () => {
  const piece = Uint8Array.of(9, 1, 2, 3).subarray(1);
  expect(startsWith(piece, [1, 2])).toBe(true);
  expect(startsWith(piece, [1, 2, 3, 4])).toBe(false);
  expect(dataView(piece).getUint16(0)).toBe(0x0102);
});
