import { expect, test } from "vitest";
import { input, Params, paramAttrs } from "../graph/index.ts";
import { initialValues } from "../nn/index.ts";
import { evaluate } from "../runtime/reference.ts";
import { type JudgeConfig, judge, parseJudge } from "./judge.ts";

const config: JudgeConfig = {
  size: 16,
  widths: [2, 4, 4],
  groups: 2,
  nouns: ["cat", "dog"],
  backgrounds: ["red", "blue", "pink"],
};

test("logits of every noun and cell, and of both corners; a new judge finds nothing likely", () => {
  const p = new Params();
  const { centers, background } = judge(p.at("judge"), input("pixels", [2, 3, 16, 16]), config);
  expect([centers.shape, background.shape]).toEqual([
    [2, 2, 4, 4],
    [2, 2, 3],
  ]);
  const params = (path: string): Float32Array => {
    const { shape, init } = paramAttrs(p.declared().get(path)!);
    return initialValues(path, shape, init, 1);
  };
  const pixels = Array.from({ length: 2 * 3 * 256 }, (_, i) => (i < 768 ? Math.abs(Math.sin(i)) : 0.5));
  const [cells, corners] = evaluate([centers, background], { feeds: { pixels }, params });
  const mean = cells!.data.reduce((a: number, b: number) => a + b, 0) / cells!.data.length;
  expect(mean).toBeLessThan(-2);
  expect([...corners!.data].every(Number.isFinite)).toBe(true);
  expect([...cells!.data.slice(0, 32)]).not.toEqual([...cells!.data.slice(32)]);
});

test("other sizes are refused, and so is a file with an unknown key", () => {
  expect(() => judge(new Params(), input("pixels", [1, 3, 32, 32]), config)).toThrow(
    "judge: expected pixels [B,3,16,16], a multiple of 16, got [1,3,32,32].",
  );
  const json = { format: "seedling-judge-1", ...config, threshold: 0.5 };
  expect(parseJudge(json, "judge.json")).toEqual(json);
  expect(() => parseJudge({ ...json, width: 3 }, "judge.json")).toThrow("judge.json: unknown key");
  expect(() => parseJudge({ ...json, size: 24 }, "judge.json")).toThrow("judge.json: size:");
});
