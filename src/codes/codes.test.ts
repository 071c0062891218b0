import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../base/errors.ts";
import {
  checkCodes,
  formatCodes,
  formatCodesJson,
  packCodes,
  parseCodes,
  parseCodesFile,
  parseCodesJson,
  unpackCodes,
} from "./codes.ts";

const zeros = Array.from({ length: 32 }, () => 0);
const codes32 = fc.array(fc.nat(8191), { minLength: 32, maxLength: 32 });

/** Runs `f`, which must succeed or throw an InputError of one line. */
function succeedsOrRefuses(f: () => unknown) {
  try {
    f();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).not.toMatch(/[\r\n]/);
  }
}

describe("checking", () => {
  test.each<[unknown, string]>([
    [zeros.with(3, 9000), "x: code 9000 at position 3 is outside 0..8191."],
    [zeros.with(31, -1), "x: code -1 at position 31 is outside 0..8191."],
    [zeros.slice(1), "x: expected 32 codes, got 31."],
    [[...zeros, 0], "x: expected 32 codes, got 33."],
    [zeros.with(0, 1.5), "x: code 1.5 at position 0 is not a whole number."],
    [zeros.with(0, Number.NaN), "x: code NaN at position 0 is not a whole number."],
    [[...zeros.slice(1), "7"], 'x: code "7" at position 31 is not a whole number.'],
    ["12 907", 'x: expected a list of 32 codes, got "12 907".'],
    [null, "x: expected a list of 32 codes, got null."],
  ])("%j", (value, message) => {
    expect(() => checkCodes(value, "x")).toThrow(new InputError(message));
  });

  test("the codebook may be smaller", () => {
    expect(checkCodes(zeros.with(0, 8191), "x")[0]).toBe(8191);
    expect(() => checkCodes(zeros.with(0, 1024), "x", 1024)).toThrow("code 1024 at position 0 is outside 0..1023");
  });
});

describe("text and JSON lines", () => {
  test("known lines", () => {
    const codes = zeros.with(0, 12).with(1, 907);
    expect(formatCodes(codes).startsWith("12 907 0 ")).toBe(true);
    expect(parseCodes(`  ${codes.join(",\t")}  `, "x")).toEqual(codes);
    expect(parseCodesJson(JSON.stringify({ image: "a.png", codes, ms: 3 }), "x")).toEqual({ image: "a.png", codes });
    expect(parseCodesJson(JSON.stringify(codes), "x")).toEqual({ codes });
    expect(() => parseCodes("1 2 cat", "x")).toThrow("x: expected 32 codes, got 3.");
    expect(() => parseCodes([...zeros.slice(1), "cat"].join(" "), "x")).toThrow(
      'x: code "cat" at position 31 is not a whole number.',
    );
    expect(() => parseCodesJson("{", "x")).toThrow(/^x: expected a line of JSON \(.*\)\.$/);
    expect(() => parseCodesJson("{}", "x")).toThrow("x: expected a list of 32 codes, got undefined.");
  });

  test("a file names the wrong line", () => {
    const line = formatCodes(zeros);
    expect(parseCodesFile(`${line}\r\n\n${formatCodesJson({ image: "b", codes: zeros })}\n`, "f")).toEqual([
      { codes: zeros },
      { image: "b", codes: zeros },
    ]);
    expect(() => parseCodesFile(`${line}\n\n1 2\n`, "f")).toThrow("f line 3: expected 32 codes, got 2.");
    expect(() => parseCodesFile("\n", "f")).toThrow("f: expected lines of 32 codes, got none.");
  });

  test("round trips", () => {
    fc.assert(
      fc.property(codes32, fc.option(fc.string(), { nil: undefined }), (codes, image) => {
        expect(parseCodes(formatCodes(codes), "x")).toEqual(codes);
        expect(parseCodesJson(formatCodesJson(image === undefined ? { codes } : { image, codes }), "x")).toEqual(
          image === undefined ? { codes } : { image, codes },
        );
      }),
    );
  });
});

describe("packed", () => {
  test("bit order, by hand", () => {
    // 1 0000 0000 0001 | 1 1111 1111 1111 | 0... = 10000000 00001111 11111111 11000000 ...
    const bytes = packCodes([zeros.with(0, 4097).with(1, 8191)]);
    expect(bytes.length).toBe(52);
    expect([...bytes.subarray(0, 5)]).toEqual([0b10000000, 0b00001111, 0b11111111, 0b11000000, 0]);
    expect(packCodes([zeros.with(31, 1)])[51]).toBe(1);
  });

  test("round trip", () => {
    fc.assert(
      fc.property(fc.array(codes32, { minLength: 1, maxLength: 4 }), (images) => {
        const bytes = packCodes(images);
        expect(bytes.length).toBe(52 * images.length);
        expect(unpackCodes(bytes, "x")).toEqual(images);
      }),
    );
  });

  test("wrong lengths and codes", () => {
    expect(() => unpackCodes(new Uint8Array(51), "f.bin")).toThrow(
      "f.bin: expected a whole number of pictures of 52 bytes, got 51 bytes. Is the file cut short?",
    );
    expect(() => unpackCodes(new Uint8Array(0), "f.bin")).toThrow("got 0 bytes");
    expect(() => unpackCodes(packCodes([zeros, zeros.with(2, 5000)]), "f.bin", 1024)).toThrow(
      "f.bin picture 1: code 5000 at position 2 is outside 0..1023.",
    );
    expect(() => packCodes([zeros.with(0, 8192)])).toThrow("picture 0: code 8192 at position 0 is outside 0..8191.");
  });
});

test("damaged bytes are read or refused in one line", () => {
  fc.assert(
    fc.property(
      codes32,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      fc.nat(),
      (codes, edits, cut) => {
        const sources = [formatCodes(codes), formatCodesJson({ image: "a", codes })].map((text) => Buffer.from(text));
        for (const bytes of [...sources, Buffer.from(packCodes([codes]))]) {
          for (const [i, value] of edits) bytes[i % bytes.length] = value;
          for (const damaged of [bytes, bytes.subarray(0, cut % bytes.length)]) {
            succeedsOrRefuses(() => parseCodesFile(damaged.toString(), "x", 1024));
            succeedsOrRefuses(() => unpackCodes(damaged, "x", 1024));
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.jsonValue(), (value) => succeedsOrRefuses(() => checkCodes(value, "x"))));
});
