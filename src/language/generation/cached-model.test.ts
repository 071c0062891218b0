import { afterAll, expect, test } from "vitest";
import { Params, paramAttrs } from "../../graph/index.ts";
import { decodingGraph } from "../../models/language-model.ts";
import type { LlamaConfig } from "../../models/llama.ts";
import { initialValues } from "../../nn/index.ts";
import { mapWeights, Runtime } from "../../runtime/index.ts";
import { cachedModel } from "./cached-model.ts";
import type { TokenState } from "./token-model.ts";

const config: LlamaConfig = {
  ...{ kind: "llama", vocabulary: 50, width: 16, tied: true, layers: 2, heads: 2, kvHeads: 1, headWidth: 8 },
  ...{ intermediate: 16, context: 64, eps: 1e-5, ropeBase: 10_000 },
};
const runtime = new Runtime({ threads: 1 });
afterAll(() => runtime.close());

const params = new Params();
const graph = decodingGraph(params, config);
const weights = [...params.declared().values()].map(paramAttrs).map(({ path, shape }) => {
  return [path, initialValues(path, shape, { kind: "normal", std: 0.5 }, 3)] as const;
});
const model = cachedModel(await runtime.compile(graph, mapWeights(new Map(weights))), config);

/** Largest difference of the logits of a sequence within others from those of the same alone. */
async function difference(found: readonly Float32Array[], sequences: readonly (readonly number[])[]): Promise<number> {
  let largest = 0;
  for (const [i, ids] of sequences.entries()) {
    const [alone] = await model.start().read([ids]);
    alone?.forEach((logit, id) => {
      largest = Math.max(largest, Math.abs(logit - (found[i]?.[id] ?? Number.NaN)));
    });
  }
  return largest;
}

const begun = async (...prompts: readonly (readonly number[])[]): Promise<TokenState> => {
  const state = model.start();
  await state.read(prompts);
  return state;
};

test("states that are joined go on as each sequence would alone, whichever is longer", async () => {
  const long = await begun([1, 2, 3, 4, 5, 6, 7], [8, 9], [10, 11, 12]);
  const short = await begun([20], [21, 22, 23]);
  await long.join?.(short, [2, 1], [1]); // the longest sequence ends here
  const first = [
    [10, 11, 12, 30],
    [8, 9, 31],
    [21, 22, 23, 32],
  ];
  expect(await difference(await long.read([[30], [31], [32]]), first)).toBeLessThan(1e-5);
  const later = await begun([40, 41, 42, 43, 44, 45, 46, 47]);
  await long.join?.(later, [0, 2], [0]);
  const second = [
    [10, 11, 12, 30, 33],
    [21, 22, 23, 32, 34],
    [40, 41, 42, 43, 44, 45, 46, 47, 35],
  ];
  expect(await difference(await long.read([[33], [34], [35]]), second)).toBeLessThan(1e-5);
  const last = [second[2]!.concat(36), second[2]!.concat(37)];
  expect(await difference(await long.read([[36], [37]], [2, 2]), last)).toBeLessThan(1e-5);
});
