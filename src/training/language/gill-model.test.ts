import { expect, test } from "vitest";
import { plainTokenizer } from "../../../test/tiny-lm.ts";
import { input, Params, paramAttrs } from "../../graph/index.ts";
import { HIDDEN_KEY, lmInput } from "../../models/causal-lm.ts";
import { gillFeatures } from "../../models/gill.ts";
import type { LlamaConfig } from "../../models/llama.ts";
import { initialValues } from "../../nn/index.ts";
import { mapWeights, Runtime } from "../../runtime/index.ts";
import { gillFeeds } from "./gill-model.ts";

const tokenizer = plainTokenizer();
const config: LlamaConfig = {
  ...{ kind: "llama", vocabulary: tokenizer.size, addedTokens: 2, width: 8, tied: true, layers: 1, heads: 2 },
  ...{ kvHeads: 1, headWidth: 4, intermediate: 8, context: 20, eps: 1e-5, ropeBase: 10_000 },
};
const sizes = { tokens: 2, length: 8 };

test("image tokens follow the caption, which is cut so that they fit", () => {
  const { ids, places, keyPositions } = gillFeeds(["cat", "a cat and a cat"], tokenizer, config, sizes);
  const [first, second] = [[...ids!.data.slice(0, 8)], [...ids!.data.slice(8)]];
  const V = tokenizer.size;
  const words = [tokenizer.bos!, ...tokenizer.encode("cat")];
  expect(first).toEqual([...words, V, V + 1, ...Array(6 - words.length).fill(0)]);
  expect(second.slice(6)).toEqual([V, V + 1]);
  expect([...places!.data]).toEqual([words.length, words.length + 1, 14, 15]);
  expect(keyPositions!.data[7]).toBe(HIDDEN_KEY);
});

test("features of a caption do not depend on the others of its batch", async () => {
  const p = new Params();
  const feeds = lmInput(config, { batch: "B", tokens: 8 });
  const text = gillFeatures(p, feeds, input("places", ["B", 2], "i32"), config, 3);
  const weights = new Map(
    [...p.declared().values()]
      .map(paramAttrs)
      .map(({ path, shape, init }) => [path, initialValues(path, shape, init, 1)]),
  );
  const runtime = new Runtime({ threads: 1 });
  try {
    const program = await runtime.compile({ text }, mapWeights(weights));
    const of = async (...captions: string[]) =>
      (await program.run(gillFeeds(captions, tokenizer, config, sizes))).text!;
    const both = await of("cat", "a cat and a cat");
    expect(both.shape).toEqual([2, 2, 3]);
    const alone = await of("cat");
    for (const [i, value] of alone.data.entries()) expect(both.data[i]).toBeCloseTo(value, 5);
  } finally {
    await runtime.close();
  }
});
