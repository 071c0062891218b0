import { expect, test } from "vitest";
import { draftLatents } from "./draft-latents.ts";

test("the latents are the first channels of each draft", () => {
  const drafts = { shape: [2, 3, 1, 2], data: Float32Array.from({ length: 12 }, (_, i) => i) };
  expect(draftLatents(drafts, 2)).toEqual({ shape: [2, 2, 1, 2], data: Float32Array.of(0, 1, 2, 3, 6, 7, 8, 9) });
  expect(draftLatents(drafts, 3)).toEqual(drafts);
});
