import { expect, test } from "vitest";
import { hashText, Rng } from "./rng.ts";

test("FNV-1a gives its published values", () => {
  expect(hashText("")).toBe(0x811c9dc5);
  expect(hashText("a")).toBe(0xe40c292c);
  expect(hashText("foobar")).toBe(0xbf9cf968);
});

test("a restored state continues with the same numbers", () => {
  const rng = new Rng(7);
  for (let i = 0; i < 10; i++) rng.bits();
  const twin = Rng.restore(rng.state());
  expect(Array.from({ length: 20 }, () => twin.bits())).toEqual(Array.from({ length: 20 }, () => rng.bits()));
});

test("uniform and normal numbers have the right moments", () => {
  const rng = new Rng(3);
  const n = 40_000;
  const normal = rng.fillNormal(new Float32Array(n));
  const mean = normal.reduce((a, b) => a + b, 0) / n;
  const variance = normal.reduce((a, b) => a + b * b, 0) / n;
  expect(Math.abs(mean)).toBeLessThan(0.02);
  expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < n; i++) {
    const k = rng.int(10);
    counts[k] = counts[k]! + 1;
  }
  for (const count of counts) expect(Math.abs(count / n - 0.1)).toBeLessThan(0.01);
});
