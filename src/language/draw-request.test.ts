import { describe, expect, test } from "vitest";
import { drawRequest } from "./draw-request.ts";

const manifest = { requests: { describe: "describe the picture.", draw: "draw {prompt}." } };

describe("plain requests to draw", () => {
  test.each([
    ["draw a red apple", "a red apple"],
    ["Draw a red apple.", "a red apple"],
    ["please draw me two cats!", "two cats"],
    ["Can you draw a picture of a blue car, please?", "a blue car"],
    ["now paint us a house for me", "a house"],
    ["ok, sketch three fish on a yellow background", "three fish on a yellow background"],
    ["make a picture of a cat and a dog", "a cat and a dog"],
    ["could you please generate an image with two stars", "two stars"],
    ["show me another picture of a boat", "a boat"],
    ["I'd like you to draw an elephant", "an elephant"],
    ["draw ein grünes Haus", "ein grünes Haus"],
    ["draw a cat that sleeps", "a cat that sleeps"],
    ["draw a picture of a cat.", "a cat"],
    ["draw one red apple", "one red apple"],
    ["draw another cat", "a cat"],
  ])("%s", (text, prompt) => expect(drawRequest(text, manifest)).toBe(prompt));

  test("the adapter's own words count, whatever they are", () => {
    const own = { requests: { ...manifest.requests, draw: "zeichne {prompt}!" } };
    expect(drawRequest("Zeichne einen Apfel!", own)).toBe("einen Apfel");
    expect(drawRequest("zeichne einen Apfel", own)).toBeUndefined();
  });

  test.each([
    "what is this?",
    "draw",
    "draw.",
    "how do I draw a cat?",
    "did she draw a cat?",
    "draw it again",
    "draw this",
    "draw the same cat with a hat",
    "draw another one",
    "draw one more",
    "draw one!",
    "draw something like that",
    "draw what you see",
    "make it bigger",
    "show me the way",
    "create a list of animals",
    "drawing is fun",
    "",
  ])("not: %s", (text) => expect(drawRequest(text, manifest)).toBeUndefined());
});

test("a long text takes no time", () => {
  const start = performance.now();
  for (const text of ["please ".repeat(20_000), `draw ${"a ".repeat(50_000)}`, `draw ${", please".repeat(20_000)}x`])
    drawRequest(text, manifest);
  expect(performance.now() - start).toBeLessThan(500);
});
