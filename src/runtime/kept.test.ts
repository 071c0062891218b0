import { afterAll, expect, test } from "vitest";
import { input } from "../graph/index.ts";
import { type Kept, Runtime, type Value } from "./index.ts";

const runtime = new Runtime({ threads: 1 });
afterAll(() => runtime.close());

test("outputs stay in the worker and are fed again, row by row if wanted, until they are dropped", async () => {
  const x = input("x", ["B", 1, 2]);
  const program = await runtime.compile({ more: x.add(1), twice: x.mul(2) });
  const x0: Value = { shape: [2, 1, 2], data: Float32Array.of(1, 2, 3, 4) };
  const first = await program.runKeeping({ x: x0 }, ["more"]);
  expect(first.twice).toEqual({ shape: [2, 1, 2], data: Float32Array.of(2, 4, 6, 8) });
  const kept = first.more as Kept;
  expect(kept.kept).toBeTypeOf("number");
  const again = await program.runKeeping({ x: kept }, []);
  expect(again.more).toEqual({ shape: [2, 1, 2], data: Float32Array.of(3, 4, 5, 6) });
  const chosen = await program.gather([1, 0, 1].map((row) => ({ ...kept, row, from: 0 })));
  const rows = await program.runKeeping({ x: chosen }, []);
  expect(rows.twice).toEqual({ shape: [3, 1, 2], data: Float32Array.of(8, 10, 4, 6, 8, 10) });
  program.drop([kept]);
  await expect(program.runKeeping({ x: kept }, [])).rejects.toThrow(/kept tensor \d+ was dropped/);
  expect((await program.runKeeping({ x: chosen }, [])).more).toMatchObject({ shape: [3, 1, 2] });
});
