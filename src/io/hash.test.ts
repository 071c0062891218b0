import { expect, test } from "vitest";
import { hashOf } from "./hash.ts";

test("parts are hashed with their lengths and kinds", () => {
  expect(hashOf("ab", "c")).not.toBe(hashOf("a", "bc"));
  expect(hashOf("a", "")).not.toBe(hashOf("a"));
  const floats = Float32Array.of(1, 2);
  expect(hashOf(floats, Float32Array.of(3))).not.toBe(hashOf(Float32Array.of(1, 2, 3)));
  expect(hashOf(new TextDecoder("latin1").decode(new Uint8Array(floats.buffer)))).not.toBe(hashOf(floats));
  expect(hashOf(floats.subarray(1), "x")).toBe(hashOf(Float32Array.of(2), "x"));
  expect(hashOf("ab", "c")).toMatch(/^[0-9a-f]{16}$/);
});
