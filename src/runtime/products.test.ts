import { expect, test } from "vitest";
import { Rng } from "../base/rng.ts";
import { input, normal, Params } from "../graph/index.ts";
import { Runtime } from "./index.ts";
import { exactProducts } from "./products.ts";

test("the answer is known once, and 8-bit products of the largest numbers are right whichever it is", async () => {
  expect(exactProducts()).toBe(exactProducts());
  const [M, K, N] = [8, 64, 32];
  const w = new Params().get("w", [N, K], normal(1));
  const data = new Uint8Array(K * N).fill(127);
  const scale = new Uint8Array(new Float32Array(N).fill(1).buffer);
  const runtime = new Runtime({ threads: 1 });
  const program = await runtime.compile(
    { y: input("x", [M, K]).linear(w) },
    { get: (path) => (path === "w" ? { dtype: "i8", data, scale } : undefined) },
  );
  const rng = new Rng(1);
  const x = Float32Array.from({ length: M * K }, () => 250 + rng.int(6)); // nearly all of 255
  const { y } = await program.run({ x: { shape: [M, K], data: x } });
  await runtime.close();
  for (let m = 0; m < M; m++) {
    const sum = 127 * x.subarray(m * K, (m + 1) * K).reduce((a, b) => a + b, 0);
    expect(Math.abs(y!.data[m * N]! - sum) / sum).toBeLessThan(0.005); // an overflow would lose half
  }
});
