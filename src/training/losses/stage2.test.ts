import { expect, test } from "vitest";
import { input, Params, paramAttrs, type Tensor } from "../../graph/index.ts";
import { decodeVectors, quantize, type SeedConfig, textFeatures } from "../../models/seed-tokenizer.ts";
import { initialValues } from "../../nn/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { stage2Loss } from "./stage2.ts";

const config: SeedConfig = {
  vision: { imageSize: 8, patchSize: 4, width: 8, depth: 1, heads: 1, mlpHidden: 8 },
  qformer: { hidden: 8, heads: 2, layers: 2, intermediate: 8, causal: true },
  codebook: { codes: 5, width: 3 },
  decoderDepth: 1,
  decoderHeads: 2,
  text: { tokens: 4, width: 6, layers: 1 },
};

const y = input("y", [2, 32, 8]);
const target = input("target", [2, 4, 6]);
const feeds = {
  y: Array.from({ length: 512 }, (_, i) => Math.sin(i)),
  target: Array.from({ length: 48 }, (_, i) => Math.cos(i)),
};

function values(p: Params, outputs: Tensor[]): number[][] {
  const params = (path: string): Float32Array => {
    const { shape, init } = paramAttrs(p.declared().get(path)!);
    return initialValues(path, shape, init, 1);
  };
  return evaluate(outputs, { feeds, params }).map(({ data }) => Array.from(data));
}

test("a term without its target is left out, and the loss is the sum of the weighted parts", () => {
  const p = new Params();
  const { loss, parts } = stage2Loss(p, y, {}, config);
  expect(Object.keys(parts)).toEqual(["codebook", "reconstruction"]);
  expect([...p.declared().keys()].some((name) => /_text|image/.test(name))).toBe(false);
  const [total, codebook, reconstruction] = values(p, [loss, parts.codebook!, parts.reconstruction!]).map((v) => v[0]!);
  expect(total).toBeCloseTo(codebook! + reconstruction!, 12);
});

test("text distillation is half the mean squared error of the text head's features", () => {
  const p = new Params();
  const { parts } = stage2Loss(p, y, { textFeatures: target }, config);
  const features = textFeatures(p, decodeVectors(p, quantize(p, y, config).zq, config), config);
  const [part, predicted] = values(p, [parts.text!, features]);
  const error = predicted!.reduce((sum, x, i) => sum + (x - feeds.target[i]!) ** 2, 0) / 48;
  expect(error).toBeGreaterThan(0.1);
  expect(part![0]).toBeCloseTo(0.5 * error, 9);
  expect(p.declared().has("Reverse_Qformer_text.bert.encoder.layer.0.attention.self.query.weight")).toBe(true);
});
