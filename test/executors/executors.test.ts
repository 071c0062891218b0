/** Every executor against the float64 reference, on every case of the suite. */
import { afterAll, describe, expect, it, test } from "vitest";
import { type OpName, sortNodes } from "../../src/graph/index.ts";
import { shapeRules } from "../../src/graph/ops.ts";
import { Runtime, type Value } from "../../src/runtime/index.ts";
import { evaluate } from "../../src/runtime/reference.ts";
import { ortExecutor, webgpuExecutor } from "./drivers.ts";
import { type Case, drawFeeds, drawParams, type Executor, networks, suite } from "./suite.ts";

/** Error allowed in float32, as a share of the largest value. */
const TOLERANCE = 1e-5;
/** A software GPU compiles shaders for seconds. */
const TIMEOUT_MS = 60_000;

const executors: Executor[] = [
  ortExecutor("ONNX Runtime on CPU, stored weights", new Runtime({ threads: 1 }), "stored"),
  ortExecutor("ONNX Runtime on CPU, fed weights", new Runtime({ threads: 1 }), "fed"),
  await webgpuExecutor(),
];

test("the suite has a case for every operation, and each holds its operation", () => {
  expect(Object.keys(suite).sort()).toEqual(Object.keys(shapeRules).sort());
  for (const [op, cases] of Object.entries(suite)) {
    expect(cases.length, op).toBeGreaterThan(0);
    for (const { name, outputs } of cases)
      expect(
        sortNodes(outputs).map((node) => node.op),
        `${op} ${name}`,
      ).toContain(op);
  }
});

async function check(executor: Executor, { outputs, feeds, runs }: Case, tolerance = TOLERANCE): Promise<void> {
  const params = drawParams(outputs);
  for (const sizes of runs) {
    const values = drawFeeds(feeds, sizes);
    const data = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.data]));
    const expected = evaluate(outputs, { feeds: data, params, symbols: sizes });
    const got = await executor.run(outputs, values, params);
    for (const [i, t] of outputs.entries()) {
      const where = `output ${i} with ${JSON.stringify(sizes)}`;
      expect(got[i]!.shape, where).toEqual(expected[i]!.shape);
      if (t.dtype === "f32") expectClose(got[i]!, expected[i]!.data, tolerance, where);
      else expect(got[i]!.data, where).toEqual(Int32Array.from(expected[i]!.data));
    }
  }
}

function expectClose({ data }: Value, expected: Float64Array, tolerance: number, where: string): void {
  expect(data, where).toBeInstanceOf(Float32Array);
  const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const errors = Array.from(expected, (v, i) => Math.abs(data[i]! - v));
  const worst = errors.findIndex((error) => !(error <= tolerance * largest + 1e-7));
  expect(worst, `${where}: element ${worst} is ${data[worst]} instead of ${expected[worst]}`).toBe(-1);
}

describe.each(executors)("$name", (executor) => {
  afterAll(() => executor.close());
  const skip = executor.skip !== undefined;
  const run = (op: string, one: Case, tolerance?: number): void => {
    const name = `${op}: ${one.name}${skip ? ` (${executor.skip})` : ""}`;
    it.skipIf(skip)(name, () => check(executor, one, tolerance), TIMEOUT_MS);
  };
  for (const [op, cases] of Object.entries(suite))
    for (const one of cases) run(op, one, executor.tolerances?.[op as OpName]);
  for (const one of networks) run("network", one);
});
