import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bfloat16ArrayToFloat32,
  float16ArrayToFloat32,
  float16ToFloat32,
  float32ArrayToBfloat16,
  float32ArrayToFloat16,
  float32ToFloat16,
} from "./float16.ts";

test("known halves", () => {
  const known: [number, number][] = [
    [0x0000, 0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x03ff, 2 ** -14 - 2 ** -24],
    [0x0400, 2 ** -14],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x3555, 0.333251953125],
  ];
  for (const [bits, value] of known) {
    expect(float16ToFloat32(bits)).toBe(value);
    expect(float32ToFloat16(value)).toBe(bits);
  }
  expect(Object.is(float16ToFloat32(0x8000), -0)).toBe(true);
  expect(float16ToFloat32(0x7e00)).toBeNaN();
});

test("every half survives the way to float32 and back", () => {
  const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const back = float32ArrayToFloat16(float16ArrayToFloat32(halves));
  for (const half of halves) {
    const isNaN16 = (half & 0x7fff) > 0x7c00;
    expect(back[half]).toBe(isNaN16 ? half | 0x200 : half); // NaNs become quiet
  }
});

test("rounding is to the nearest half, ties to even", () => {
  const halves = float16ArrayToFloat32(Uint16Array.from({ length: 0x7c00 }, (_, i) => i)); // ascending
  fc.assert(
    fc.property(fc.nat(0x7bfe), fc.double({ min: 0, max: 1, noNaN: true }), (i, share) => {
      const [low, high] = [halves[i]!, halves[i + 1]!];
      const x = Math.fround(low + (high - low) * share);
      const middle = low + (high - low) / 2;
      const even = i % 2 === 0 ? i : i + 1;
      const expected = x < middle ? i : x > middle ? i + 1 : even;
      expect(float32ToFloat16(x)).toBe(expected);
      expect(float32ToFloat16(-x)).toBe(expected | 0x8000);
    }),
  );
  expect(float32ToFloat16(65519)).toBe(0x7bff);
  expect(float32ToFloat16(65520)).toBe(0x7c00);
  expect(float32ToFloat16(2 ** -25)).toBe(0);
  expect(float32ToFloat16(Math.fround(2 ** -25 * 1.001))).toBe(1);
});

test("bfloat16 keeps the upper half, rounded to even", () => {
  const values = Float32Array.of(1, -2.5, 3.140625, 1 + 2 ** -8, 1 + 3 * 2 ** -8, Number.NaN, Number.NEGATIVE_INFINITY);
  const stored = float32ArrayToBfloat16(values);
  expect([...bfloat16ArrayToFloat32(stored)]).toEqual([
    1,
    -2.5,
    3.140625,
    1,
    1 + 2 ** -6,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
  ]);
  expect([...float32ArrayToBfloat16(bfloat16ArrayToFloat32(stored))]).toEqual([...stored]);
});
