import { describe, expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { input, normal, Params, type Tensor } from "../../graph/index.ts";
import { emit, type QuantizedWeight } from "../../onnx/index.ts";
import { Runtime } from "../../runtime/index.ts";
import { linearWeights } from "./linear-weights.ts";
import { dequantizeRows, quantizeBlocks, quantizeRows } from "./round.ts";

const random = (n: number, seed: number): Float32Array => {
  const rng = new Rng(seed);
  return Float32Array.from({ length: n }, () => rng.int(2001) / 1000 - 1);
};
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int8Array | Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Largest difference, relative to the largest value of `b`. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, largest] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  expect(a.length).toBe(b.length);
  return difference / largest;
}

describe("rounding", () => {
  test("a row: its largest magnitude is 127", () => {
    const { data, scale } = quantizeRows(Float32Array.of(1, -2, 0.5, 0, 0, 0), 2);
    expect([...data]).toEqual([64, 0, -127, 0, 32, 0]); // three columns of two
    expect([...dequantizeRows(data, scale)]).toEqual([64, -127, 32, 0, 0, 0].map((q) => Math.fround(q * scale[0]!)));
    expect([...scale]).toEqual([Math.fround(2 / 127), 0]);
  });

  test("a block of 4 bits: low half of the byte first, zero is 8, what is missing at the end is zero", () => {
    const w = new Float32Array(20);
    w.set([-8, 7, 3]);
    w[16] = 4; // the second block's largest becomes 0, so its scale is negative
    const { data, scale } = quantizeBlocks(w, 1, 4, 16);
    expect([...scale]).toEqual([1, -0.5]);
    expect([...data]).toEqual([0xf0, 0x8b, ...Array(6).fill(0x88), 0x80, ...Array(7).fill(0x88)]);
  });

  test("a block of 8 bits", () => {
    const { data, scale } = quantizeBlocks(Float32Array.of(-64, 63.4, 0), 1, 8, 16);
    expect([...scale]).toEqual([0.5]);
    expect([...data]).toEqual([0, 255, ...Array(14).fill(128)]);
  });
});

describe("a linear layer", () => {
  const [M, K, N] = [5, 40, 12];
  const [x, w, bias] = [random(M * K, 1), random(N * K, 2), random(N, 3)];

  /** Rows begin..end of the weight in floats: f32 [M,rows]. */
  function expected(begin: number, end: number, withBias: boolean): number[] {
    const out: number[] = [];
    for (let m = 0; m < M; m++)
      for (let n = begin; n < end; n++) {
        let sum = withBias ? bias[n]! : 0;
        for (let k = 0; k < K; k++) sum += x[m * K + k]! * w[n * K + k]!;
        out.push(sum);
      }
    return out;
  }
  const p = new Params();
  const weight = p.get("w", [N, K], normal(1));
  const whole = input("x", ["M", K]).linear(weight, input("bias", [N]));
  const part = input("y", ["M", 1, K]).linear(weight.slice(0, 3, 9));

  const forms: [string, () => QuantizedWeight, number][] = [
    ["8 bits a row", () => ({ dtype: "i8", ...asBytes(quantizeRows(w, N)) }), 0.02],
    ["8 bits a block", () => ({ dtype: "blocks", bits: 8, block: 16, ...asBytes(quantizeBlocks(w, N, 8, 16)) }), 0.01],
    ["4 bits a block", () => ({ dtype: "blocks", bits: 4, block: 32, ...asBytes(quantizeBlocks(w, N, 4, 32)) }), 0.12],
  ];
  test.each(forms)("%s: close to floats, whole and in rows of the weight", async (_, stored, bound) => {
    const runtime = new Runtime({ threads: 1 });
    const program = await runtime.compile({ whole, part }, { get: (path) => (path === "w" ? stored() : undefined) });
    const out = await program.run({
      x: { shape: [M, K], data: x },
      y: { shape: [M, 1, K], data: x },
      bias: { shape: [N], data: bias },
    });
    await runtime.close();
    expect(out.part!.shape).toEqual([M, 1, 6]);
    expect(distance(out.whole!.data, expected(0, N, true))).toBeLessThan(bound);
    expect(distance(out.part!.data, expected(3, 9, false))).toBeLessThan(bound);
    expect(distance(out.whole!.data, expected(0, N, true))).toBeGreaterThan(0); // it was rounded
  });

  test("each product has a weight of its own: without VNNI, ONNX Runtime fails at the second reader of one", () => {
    const shared = p.get("shared.weight", [N, K], normal(1));
    const outputs = { whole: input("x", ["M", K]).linear(shared), other: input("y", ["M", K]).linear(shared) };
    const { bytes } = emit(outputs, { target: "cpu", weight: forms[0]![1] });
    const names = new TextDecoder("latin1").decode(bytes).match(/shared\.weight(#\d)?(?!\.scale)/g) ?? [];
    const readersAndItself = (name: string): number => names.filter((other) => other === name).length;
    expect(["shared.weight", "shared.weight#2"].map(readersAndItself)).toEqual([2, 2]);
  });

  test("what anything else reads cannot be quantized", async () => {
    const runtime = new Runtime({ threads: 1 });
    const sum = weight.sum();
    const compiling = runtime.compile({ whole, sum }, { get: (path) => (path === "w" ? forms[0]![1]() : undefined) });
    await expect(compiling).rejects.toThrow("w: expected floats, as not only linear layers read it.");
    await runtime.close();
    expect([...linearWeights([whole, part])]).toEqual(["w"]);
    expect([...linearWeights([whole, part, sum])]).toEqual([]);
    expect([...linearWeights([whole, weight.slice(0, 0, 2).exp() as Tensor])]).toEqual([]);
    expect([...linearWeights([whole, weight.slice(1, 0, 2).transpose([1, 0])])]).toEqual([]);
  });
});

function asBytes({ data, scale }: { data: Int8Array | Uint8Array; scale: Float32Array }) {
  return { data: bytesOf(data), scale: bytesOf(scale) };
}
