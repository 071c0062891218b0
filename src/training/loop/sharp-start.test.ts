import { expect, test } from "vitest";
import { input, Params } from "../../graph/index.ts";
import { qformer } from "../../models/qformer.ts";
import { sharpStart } from "./sharp-start.ts";

const config = { hidden: 64, heads: 2, layers: 3, intermediate: 32, crossAttentionFrequency: 2, causal: true };

/** First values, and the deviation of one of them, for a context of this width. */
function start(width: number): { values: Map<string, Float32Array>; deviation: (name: string) => number } {
  const p = new Params();
  const queries = p.get("query_tokens", [1, 4, 64], { kind: "normal", std: 0.02 });
  qformer(p.at("bert"), config, { queries, features: input("x", [2, 9, width]) });
  const values = sharpStart(p, 7, 5);
  const deviation = (name: string): number => {
    const data = values.get(`bert.encoder.layer.2.crossattention.${name}.weight`)!;
    return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
  };
  return { values, deviation };
}

test("only the matrices of cross-attention begin from scratch, queries `sharpness` times as wide", () => {
  const { values, deviation } = start(48);
  const matrices = ["self.query", "self.key", "self.value", "output.dense"];
  const wanted = [0, 2].flatMap((j) => matrices.map((m) => `bert.encoder.layer.${j}.crossattention.${m}.weight`));
  expect([...values.keys()].sort()).toEqual(wanted.sort());
  expect(deviation("self.query")).toBeCloseTo(5 / 8, 1); // 64 inputs
  expect(deviation("self.key")).toBeCloseTo(48 ** -0.5, 1); // 48 inputs
  expect(deviation("output.dense")).toBeCloseTo(1 / 8, 1);
  expect(start(48).values).toEqual(values);
});

test("queries and a context of one width are projected alike", () => {
  const { values } = start(64);
  const [query, key] = ["query", "key"].map((m) => values.get(`bert.encoder.layer.0.crossattention.self.${m}.weight`)!);
  expect(query).toEqual(key!.map((x) => 5 * x));
});
