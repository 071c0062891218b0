import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { input, Params, paramAttrs, type Tensor } from "../../graph/index.ts";
import type { QFormerConfig } from "../../models/qformer.ts";
import { initialValues } from "../../nn/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { featureReconstructionLoss, reconstructTokens } from "./feature-reconstruction.ts";

const config: QFormerConfig = { hidden: 8, heads: 2, layers: 2, intermediate: 8, causal: true };
const y = input("y", [2, 32, 8]);
const tokens = input("tokens", [2, 5, 6]);
const lossOf = (p: Params): Tensor => featureReconstructionLoss(reconstructTokens(p, y, 5, 6, config), tokens);
const wave = (length: number): number[] => Array.from({ length }, (_, i) => Math.sin(i * i));

function values(p: Params, outputs: Tensor[], scale = 1): number[][] {
  const params = (path: string): Float32Array => {
    const { shape, init } = paramAttrs(p.declared().get(path)!);
    return initialValues(path, shape, init, 1);
  };
  const feeds = { y: wave(512), tokens: wave(60).map((x) => scale * x) };
  return evaluate(outputs, { feeds, params }).map(({ data }) => Array.from(data));
}

test("it asks each of the 32 embeddings, and begins at the variance of the tokens", () => {
  const p = new Params();
  const loss = lossOf(p);
  const [value, slope] = values(p, [loss, gradients(loss, [y])[0]!]);
  expect(value![0]).toBeGreaterThan(0.9);
  expect(value![0]).toBeLessThan(1.5);
  for (let k = 0; k < 64; k++) expect(Math.max(...slope!.slice(8 * k, 8 * k + 8).map(Math.abs)), `${k}`).not.toBe(0);
});

test("the scale of the tower's tokens does not count", () => {
  const p = new Params();
  const loss = lossOf(p);
  expect(values(p, [loss], 100)[0]![0]).toBeCloseTo(values(p, [loss])[0]![0]!, 3);
});

test("its parameters have names of their own", () => {
  const p = new Params();
  lossOf(p.at("recover"));
  const names = [...p.declared().keys()];
  expect(names).toContain("recover.queries");
  expect(names.filter((name) => !/^recover\.(queries$|bert\.|proj\.)/.test(name))).toEqual([]);
});
