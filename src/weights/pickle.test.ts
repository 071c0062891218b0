import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckpointError } from "../base/errors.ts";
import { PickleFunction, unpickle } from "./pickle.ts";

/** As in torch-zip.ts, with a function that makes a Map and one that hands its argument back. */
const world = {
  globals: new Map<string, unknown>([
    ["a dict", new PickleFunction("a dict", ([pairs]) => new Map(pairs as [string, unknown][]))],
    ["a same", new PickleFunction("a same", ([value]) => value ?? null)],
  ]),
  persistent: (id: unknown) => ({ id }),
};
const read = (bytes: Uint8Array) => unpickle(bytes, "x.pt", world);

/** Instructions by their letters in Python's pickletools, or as bytes. */
const code = (...parts: (string | number[] | Uint8Array)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))));
const times = (n: number, ...parts: Parameters<typeof code>) => {
  const piece = code(...parts);
  return Buffer.alloc(n * piece.length, piece);
};

function refusal(bytes: Uint8Array): string {
  try {
    read(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as CheckpointError).exitCode).toBe(3);
    expect((error as Error).message).toMatch(/^x\.pt: [^\r\n\u2028\u2029]{10,300}$/);
    return (error as Error).message;
  }
  return expect.fail("expected a refusal");
}

describe("bombs", () => {
  const million = 1_000_000;
  const call = (name: string) => `c${name.replace(" ", "\n")}\n`;
  test.each<[string, Uint8Array, string]>([
    ["dicts side by side", times(3 * million, "}"), "2000000 items in all"],
    ["lists side by side", times(3 * million, "]"), "2000000 items in all"],
    ["values, each dropped", times(3 * million, "N0"), "2000000 instructions"],
    ["lists of one in one list", code("]", times(million, "]Naa")), "2000000 items in all"],
    ["tuples in tuples", code("N", times(2 * million, [0x85])), "2000000 items in all"],
    ["the same value over and over", code("]q\x00", times(3 * million, "h\x00")), "500000 values on its stack"],
    ["a memo of millions", code("N", times(2 * million, [0x94])), "500000 remembered values"],
    ["a memo with a hole", code("N", "r\x00\x00\x00\x80"), "500000 remembered values"],
    ["storages", code(")q\x00", times(2 * million, "h\x00Q0")), "2000000 items in all"],
    [
      // A thousand pairs, read by three bytes.
      "calls on one long list",
      code(call("a dict"), "q\x01](", times(1000, "U\x01aN\x86"), "e\x85q\x02", times(million, "h\x01h\x02R0")),
      "2000000 items in all",
    ],
    [
      "calls with one long tuple",
      code(call("a same"), "q\x01(", times(100_000, "N"), "tq\x02", times(million, "h\x01h\x02R0")),
      "2000000 items in all",
    ],
    [
      "keys that are numbers",
      code("}(", ...Array.from({ length: 100_001 }, (_, i) => [0x4a, i, i >> 8, i >> 16, 0, 0x4e]), "u"),
      "100000 keys that are numbers",
    ],
    ["keys beyond 2^53", code("}", [0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1], "Ns"), "a dict key beyond 2^53"],
  ])("%s", (_, bytes, message) => {
    expect(refusal(code(bytes, "."))).toContain(message);
  });

  test("deep nesting is read", () => {
    let value = read(code(times(100_000, "]"), times(99_999, "a"), "."));
    let depth = 0;
    for (; Array.isArray(value); value = value[0]) depth++;
    expect(depth).toBe(100_000);
  });

  test("a memo remembers values, not marks", () => {
    expect(refusal(code("q\x00N."))).toContain("nothing to remember");
    expect(refusal(code("(q\x00N."))).toContain("nothing to remember");
  });

  test("what a large checkpoint and its optimizer hold is far below the limits", () => {
    // A state of 20,000 parameters, each with three values under a number and a tuple of four.
    const states = Array.from({ length: 20_000 }, (_, i) =>
      code(
        [0x4d, i, i >> 8],
        "}(",
        "X\x04\x00\x00\x00step",
        "K\x01",
        "X\x01\x00\x00\x00m",
        "(K\x01K\x02K\x03K\x04t",
        "u",
      ),
    );
    const state = read(code("}(", ...states, "u.")) as Map<number, Map<string, unknown>>;
    expect(state.size).toBe(20_000);
    expect(state.get(19_999)).toEqual(
      new Map<string, unknown>([
        ["step", 1],
        ["m", [1, 2, 3, 4]],
      ]),
    );
  });
});

describe("properties", () => {
  const text = (value: string) => {
    const utf8 = Buffer.from(value);
    return utf8.length < 256 ? code([0x8c, utf8.length], utf8) : code("X", [utf8.length, utf8.length >> 8, 0, 0], utf8);
  };
  /** The instructions that Python writes for a value; containers are remembered, as Python does. */
  function instructions(value: unknown): Buffer {
    if (value === null) return code("N");
    if (typeof value === "boolean") return code([value ? 0x88 : 0x89]);
    if (typeof value === "string") return text(value);
    if (typeof value === "bigint") {
      const bytes = Buffer.alloc(17);
      bytes.writeBigInt64LE(value >> 64n, 8);
      bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
      return code([0x8a, 16], bytes.subarray(0, 16));
    }
    if (typeof value === "number") {
      const bytes = Buffer.alloc(9, "G");
      bytes.writeDoubleBE(value, 1);
      return bytes;
    }
    if (Array.isArray(value)) return code("]", [0x94], "(", ...value.map(instructions), "e");
    const items = Object.entries(value as object).flatMap(([key, item]) => [text(key), instructions(item)]);
    return code("}", [0x94], "(", ...items, "u");
  }
  const asMaps = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(asMaps);
    if (typeof value !== "object" || value === null) return value;
    return new Map(Object.entries(value).map(([key, item]) => [key, asMaps(item)]));
  };

  test("plain values come back as they were", () => {
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, tie("leaf"), tie("list"), tie("dict")),
      leaf: fc.oneof(
        fc.constantFrom(null, true, false),
        fc.double({ noNaN: true }),
        fc.string({ unit: "grapheme", maxLength: 300 }),
        fc.bigInt({ min: 2n ** 60n, max: 2n ** 127n - 1n }),
        fc.bigInt({ min: -(2n ** 127n), max: -(2n ** 60n) }),
      ),
      list: fc.array(tie("value"), { maxLength: 5 }),
      dict: fc.dictionary(fc.string(), tie("value"), { maxKeys: 5 }),
    }));
    fc.assert(
      fc.property(value, (v) => {
        expect(read(code([0x80, 4], instructions(v), "."))).toEqual(asMaps(v));
      }),
      { numRuns: 100 },
    );
  });

  test("any instructions give a value or a refusal in one line", () => {
    const byte = fc.integer({ min: 0, max: 255 });
    const small = fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 255);
    const instruction = fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(..."]})N(".split("")).map((letter) => code(letter)) },
      { weight: 10, arbitrary: fc.constantFrom(..."aestubR0Q\x85\x86\x87\x88\x94".split("")).map((c) => code(c)) },
      { weight: 6, arbitrary: fc.tuple(fc.constantFrom("q", "h"), small).map(([c, n]) => code(c, [n])) },
      {
        weight: 3,
        arbitrary: fc.tuple(fc.constantFrom("r", "j"), small, small).map(([c, n, m]) => code(c, [n, 0, 0, m])),
      },
      { weight: 6, arbitrary: fc.constantFrom("ca\ndict\n", "ca\nsame\n", "U\x01k", "K\x05").map((c) => code(c)) },
      { weight: 2, arbitrary: fc.uint8Array({ maxLength: 20 }).map((b) => code([0x8a, b.length], b)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }).map((b) => code(b)) },
      { weight: 1, arbitrary: byte.map((b) => code([b])) },
    );
    let values = 0;
    fc.assert(
      fc.property(fc.array(instruction, { maxLength: 40, size: "max" }), (list) => {
        try {
          read(code(...list, "."));
          values++;
        } catch (error) {
          // What `new Map` makes of a list that is not pairs is this test's own affair.
          if (error instanceof TypeError && /iterator|entry object/i.test(error.message)) return;
          expect(error).toBeInstanceOf(CheckpointError);
          expect((error as Error).message).toMatch(/^x\.pt: [^\r\n\u2028\u2029]{10,300}$/);
        }
      }),
      { numRuns: 1000 },
    );
    expect(values).toBeGreaterThan(0);
  });
});
