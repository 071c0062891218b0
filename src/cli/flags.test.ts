import { Command } from "commander";
import { expect, test } from "vitest";
import { withFlags } from "./flags.ts";

const command = new Command("x").option("--vision-heads <n>").option("--lm <path>").option("--guidance <x>");

test.each([
  ["28 is not a multiple of 88. Set visionHeads.", "28 is not a multiple of 88. Set --vision-heads."],
  ["expected a base, found none. Set lm to one.", "expected a base, found none. Set --lm to one."],
  ["sampling: expected guidanceScale from 1, got 0.", "sampling: expected --guidance from 1, got 0."],
  // What is not an option of the command stays, and so do paths and words that only look like options.
  ["Set maxTokens.", "Set maxTokens."],
  ["lm/config.json: expected a test set lmx", "lm/config.json: expected a test set lmx"],
  ["out/visionHeads.pt: no such file.", "out/visionHeads.pt: no such file."],
])("%s", (message, shown) => {
  expect(withFlags(message, command)).toBe(shown);
});

test("without a command nothing changes", () => {
  expect(withFlags("Set lm.")).toBe("Set lm.");
});
