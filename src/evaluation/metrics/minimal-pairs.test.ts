import { expect, test } from "vitest";
import { captionCosine, minimalPairAccuracy, type ScoredPair } from "./minimal-pairs.ts";

const unit = (degrees: number): Float32Array =>
  Float32Array.of(Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180));
const pair = (kind: string, image: number, text: number, wrong: number): ScoredPair => ({
  kind,
  image: unit(image),
  text: unit(text),
  wrong: unit(wrong),
});

test("percent right of each kind apart; a tie is wrong", () => {
  const pairs = [
    pair("sides", 0, 10, 20),
    pair("sides", 0, 30, 20),
    pair("sides", 0, 20, 20),
    pair("sides", 0, 5, 90),
    pair("count", 90, 80, 0),
  ];
  expect(minimalPairAccuracy(pairs)).toEqual({ sides: 50, count: 100 });
  expect(minimalPairAccuracy([])).toEqual({});
});

test("mean cosine of true and false captions, whatever the picture", () => {
  const { sides, fade } = captionCosine([pair("sides", 7, 0, 60), pair("sides", 0, 0, 90), pair("fade", 0, 40, 40)]);
  expect(sides).toBeCloseTo(0.25, 6);
  expect(fade).toBeCloseTo(1, 6);
});
