import { expect, test } from "vitest";
import { Rng } from "../../../base/rng.ts";
import { dot } from "../../../base/vectors.ts";
import { captionScores } from "../../metrics/read-caption.ts";
import { rankedRetrieval, unitRows } from "../../metrics/retrieval.ts";
import type { Arm } from "../arms.ts";
import { scoreOf } from "../scores.ts";
import { answerMetrics, captionMetricsOf, recallMetrics, similarityMetric } from "./measure.ts";

const armOf = (metrics: Arm["results"][string]): Arm => ({
  ...{ format: "seedling-arm-1", table: "retrieval", arm: "x", losses: "ours", seed: 1, command: "x", path: "x.json" },
  ...{ budget: {}, commit: "", machine: "", sheets: [], results: { test: metrics } },
});
const scored = (metrics: Arm["results"][string], metric: string): number =>
  scoreOf([armOf(metrics)], "test", metric)!.mean;

test("recalls are those of the scorecard, equal captions included", () => {
  const rng = new Rng(3);
  const vectors = (n: number) =>
    unitRows(
      Float32Array.from({ length: 4 * n }, () => rng.normal()),
      4,
    );
  const [images, texts] = [vectors(30), vectors(30)];
  const captions = Array.from({ length: 30 }, (_, i) => `caption ${i % 25}`);
  const expected = rankedRetrieval(captions, (i, j) => dot(images[i]!, texts[j]!));
  const metrics = recallMetrics(images, texts, captions);
  expect(scored(metrics, "i2t R@5")).toBeCloseTo(expected.imageToText.r5, 10);
  expect(scored(metrics, "t2i R@10")).toBeCloseTo(expected.textToImage.r10, 10);
  expect(scored(metrics, "R@mean")).toBeCloseTo(expected.mean, 10);
});

test("captions: object F1 is that of the scorecard; metrics are of several references", () => {
  const object = (noun: string) => ({ noun, count: 1, x: 0, y: 0, w: 1, h: 1, color: undefined }) as never;
  const scenes = [{ objects: [object("dog"), object("cat")] }, { objects: [object("apple")] }];
  const said = ["a dog and a dog", "an apple"];
  const nouns = ["dog", "cat", "apple"];
  const references = [["a dog and a cat", "a cat, a dog"], ["an apple"]];
  const metrics = captionMetricsOf(said, references, scenes, { nouns, synonyms: { has: () => false } });
  expect(scored(metrics, "object F1")).toBeCloseTo(100 * captionScores(said, scenes, nouns).objectF1, 10);
  expect(scored(metrics, "ROUGE-L")).toBeGreaterThan(60);
  expect(scored(metrics, "METEOR")).toBeGreaterThan(20);
});

test("answers by both normalizations; pictures by cosine", () => {
  const metrics = answerMetrics(["Two dogs.", "a cat", "red"], ["2 dogs", "cat", "blue"]);
  expect(metrics["VQA accuracy"]).toEqual({ each: [100, 100, 0] });
  expect(metrics["exact match"]).toEqual({ each: [0, 0, 0] });
  expect(similarityMetric([Float32Array.of(1, 0)], [Float32Array.of(2, 0)])).toEqual({ each: [100] });
});
