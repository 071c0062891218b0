import { readFile } from "node:fs/promises";
import { beforeAll, expect, test } from "vitest";
import { parseSeedlingConfig, type SeedlingConfig } from "../../models/config.ts";
import { CaptionTokenizer, wordLevelTokenizer } from "../../text/index.ts";
import { clipKey, seedKey } from "./feature-keys.ts";

let config: SeedlingConfig;
beforeAll(async () => {
  const { model } = JSON.parse(await readFile("test/recipes/model.json", "utf8")) as { model: SeedlingConfig };
  config = parseSeedlingConfig({ ...model, textEncoder: { ...model.textEncoder, vocabulary: 6 } }, "model.json");
});

const weights = (value: number) => new Map([["a", Float32Array.of(value)]]);
const tokenizer = (...words: string[]) => new CaptionTokenizer(wordLevelTokenizer(words));

test("everything that changes features changes their key", () => {
  const { pixels, textEncoder, vision, qformer } = config;
  const words = tokenizer("cat", "dog");
  const other: SeedlingConfig = { ...config, pixels: { ...pixels, mean: [0.4, 0.5, 0.5] } };
  const keys = [
    clipKey(config, words, weights(1)),
    clipKey(config, words, weights(2)),
    clipKey(config, tokenizer("cat", "dot"), weights(1)),
    clipKey(other, words, weights(1)),
    clipKey({ ...config, pixels: { ...pixels, std: [0.5, 0.5, 0.5] } }, words, weights(1)),
    clipKey({ ...config, textEncoder: { ...textEncoder, heads: 1 } }, words, weights(1)),
    clipKey({ ...config, vision: { ...vision, heads: 3 } as SeedlingConfig["vision"] }, words, weights(1)),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(clipKey(config, tokenizer("dog", "cat"), weights(1))).toBe(keys[0]);
  const onTop = [
    ...keys.slice(0, 2).map((key) => seedKey(key, config, weights(1))),
    seedKey(keys[0]!, { ...config, qformer: { ...qformer, heads: 1 } as SeedlingConfig["qformer"] }, weights(1)),
  ];
  expect(new Set(onTop).size).toBe(onTop.length);
});
