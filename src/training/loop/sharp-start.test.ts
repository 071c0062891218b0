import { expect, test } from "vitest";
import { input, Params } from "../../graph/index.ts";
import { qformer } from "../../models/qformer.ts";
import { sharpStart } from "./sharp-start.ts";

const config = { hidden: 64, heads: 2, layers: 3, intermediate: 32, crossAttentionFrequency: 2, causal: true };

test("only the matrices of cross-attention begin anew, queries `sharpness` times as wide", () => {
  const p = new Params();
  const queries = p.get("query_tokens", [1, 4, 64], { kind: "normal", std: 0.02 });
  qformer(p.at("bert"), config, { queries, features: input("x", [2, 9, 48]) });
  const values = sharpStart(p, 7, 5);
  const matrices = ["self.query", "self.key", "self.value", "output.dense"];
  const wanted = [0, 2].flatMap((j) => matrices.map((m) => `bert.encoder.layer.${j}.crossattention.${m}.weight`));
  expect([...values.keys()].sort()).toEqual(wanted.sort());
  const deviation = (name: string): number => {
    const data = values.get(`bert.encoder.layer.2.crossattention.${name}.weight`)!;
    return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
  };
  expect(deviation("self.query")).toBeCloseTo(5 / 8, 1); // 64 inputs
  expect(deviation("self.key")).toBeCloseTo(48 ** -0.5, 1); // 48 inputs
  expect(deviation("output.dense")).toBeCloseTo(1 / 8, 1);
  expect(sharpStart(p, 7, 5)).toEqual(values);
});
