import { expect, test } from "vitest";
import { withDefaults } from "./with-defaults.ts";

test("an undefined option keeps its default, null and 0 do not", () => {
  const defaults = { temperature: 0.7, seed: 1 as number | null };
  expect(withDefaults(defaults, { temperature: undefined, seed: null })).toEqual({ temperature: 0.7, seed: null });
  expect(withDefaults(defaults, { temperature: 0, prompt: "a cat" })).toEqual({
    temperature: 0,
    seed: 1,
    prompt: "a cat",
  });
  expect(withDefaults(defaults)).toEqual(defaults);
});
