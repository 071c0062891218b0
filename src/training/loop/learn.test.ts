import { expect, test } from "vitest";
import { Params, zeros } from "../../graph/index.ts";
import { learnables } from "./learn.ts";

const params = new Params();
params.at("head").get("weight", [2, 3], zeros);
params.at("body").get("bias", [4], zeros);
const options = { prefixes: ["head"], seed: 1, weightDecay: 0.1 };

test("what is below the prefixes learns, from given values where there are some", () => {
  const start = new Map([["head.weight", Float32Array.of(1, 2, 3, 4, 5, 6)]]);
  const [one, ...others] = learnables(params, { ...options, start });
  expect(one).toMatchObject({ path: "head.weight", weightDecay: 0.1, initial: start.get("head.weight") });
  expect(others).toEqual([]);
  expect(learnables(params, { ...options, prefixes: ["body"] })[0]).toMatchObject({
    path: "body.bias",
    weightDecay: 0,
  });
});

test("a prefix without parameters and given values of another size are refused by name", () => {
  expect(() => learnables(params, { ...options, prefixes: ["tail"] })).toThrow("below tail, found none");
  const start = new Map([["head.weight", new Float32Array(4)]]);
  expect(() => learnables(params, { ...options, start })).toThrow(
    "head.weight: expected 6 numbers [2,3] to begin with",
  );
});
