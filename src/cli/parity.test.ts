import { afterEach, expect, test, vi } from "vitest";
import type { ParityReport } from "../evaluation/parity/parity.ts";
import { parityCommand } from "./parity.ts";

const report = vi.hoisted(() => ({ current: undefined as unknown }));
vi.mock("../evaluation/parity/parity.ts", async (original) => ({
  ...(await original<object>()),
  checkParity: async () => report.current,
}));

const good = { name: "vit.out", error: 1e-6, bound: 1e-4, holds: true, note: "largest 1.00" };
const bad = { name: "vq.indices", error: 2, bound: 0, holds: false, note: "62 of 64 codes equal" };

async function run(lines: ParityReport["lines"], ...args: string[]): Promise<string[]> {
  let printed = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk, encodingOrDone, done) => {
    printed += String(chunk);
    const callback = typeof encodingOrDone === "function" ? encodingOrDone : done;
    callback?.();
    return true;
  });
  report.current = { lines, holds: lines.every(({ holds }) => holds) };
  await parityCommand().parseAsync(["folder", ...args], { from: "user" });
  return printed.split("\n").filter(Boolean);
}

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

test("prints a line a tensor and exits 0 if all hold", async () => {
  expect(await run([good])).toEqual(["ok     1.0e-6  <=   1.0e-4  vit.out  largest 1.00", "all 1 hold"]);
  expect(process.exitCode).toBeUndefined();
});

test("exits 1 if one line does not hold; --failures shows only those", async () => {
  expect(await run([good, bad], "--failures")).toEqual([
    "FAIL   2.0e+0  <=        0  vq.indices  62 of 64 codes equal",
    "1 of 2 FAIL",
  ]);
  expect(process.exitCode).toBe(1);
});

test("--json prints one object a tensor", async () => {
  expect((await run([good, bad], "--json")).map((line) => JSON.parse(line))).toEqual([good, bad]);
});
