import { expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { Rng } from "../base/rng.ts";
import { input, type Tensor } from "../graph/index.ts";
import { attend, causalMask } from "../nn/index.ts";
import { noWeights, Runtime } from "../runtime/index.ts";
import { evaluate } from "../runtime/reference.ts";
import { emit } from "./index.ts";

const [B, T, S, D, H] = [2, 1024, 1056, 8, 2];
const [q, k, v] = [input("q", [B, T, D]), input("k", [B, S, D]), input("v", [B, S, D])];

function isOne(outputs: Record<string, Tensor>, target: "cpu" | "webgpu" = "cpu"): boolean {
  const { bytes } = emit(outputs, { target, weight: () => undefined });
  return new TextDecoder("latin1").decode(bytes).includes("MultiHeadAttention");
}

test("attention over many places is one operation and gives the reference's numbers", async () => {
  const out = attend(q, k, v, H);
  expect(isOne({ out })).toBe(true);
  const rng = new Rng(1);
  const draw = (n: number): Float32Array => Float32Array.from({ length: n }, () => rng.normal());
  const feeds = { q: draw(B * T * D), k: draw(B * S * D), v: draw(B * S * D) };
  const expected = evaluate([out], { feeds, params: () => new Float32Array() })[0]!.data;
  const runtime = new Runtime({ threads: 1 });
  const program = await runtime.compile({ out }, noWeights);
  const shape = (rows: number): number[] => [B, rows, D];
  const got = await program.run({
    q: { shape: shape(T), data: feeds.q },
    k: { shape: shape(S), data: feeds.k },
    v: { shape: shape(S), data: feeds.v },
  });
  await runtime.close();
  expect(got.out!.shape).toEqual([B, T, D]);
  const worst = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - got.out!.data[i]!)), 0);
  expect(worst).toBeLessThan(1e-5);
});

test("it stays several operations where something else reads inside, with a mask, on few places and on a GPU", () => {
  const out = attend(q, k, v, H);
  const probabilities = out.node.inputs[0]!.node.inputs[0]!.node.inputs[0]!;
  expect(probabilities.node.op).toBe("softmax");
  expect(isOne({ out, probabilities })).toBe(false);
  expect(isOne({ out, slope: gradients(out.sum(), [q])[0]! })).toBe(false);
  expect(isOne({ out: attend(q, q, q, H, causalMask(T)) })).toBe(false);
  const few = input("few", [B, 64, D]);
  expect(isOne({ out: attend(few, few, few, H) })).toBe(false);
  expect(isOne({ out }, "webgpu")).toBe(false);
});
