/** Texts and codes of the shipped language model, greedy and seeded: no refactoring may change a word or a code. */
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SeedLanguageModel, type Turn } from "../src/index.ts";

const FIXTURE = "test/fixtures/shipped-language.json";
/** Set to write the fixture anew, after the shipped weights have changed. */
const RECORD = process.env["SEEDLING_RECORD"] === "1";

let model: SeedLanguageModel;
beforeAll(async () => {
  model = await SeedLanguageModel.fromPretrained("models/seedling-mini", { threads: 1 });
});
afterAll(() => model.close());

const pictures = ["examples/turtle.png", "examples/balloon-and-pigs.png"];

async function sayEverything(): Promise<Record<string, unknown>> {
  const conversation: Turn[] = [
    { role: "user", parts: [{ image: pictures[0]! }, "what is this?"] },
    { role: "assistant", parts: ["a turtle."] },
    { role: "user", parts: [model.request("a red apple")] },
  ];
  const chat: unknown[] = [];
  for await (const event of model.chat(conversation, { seed: 4, steps: 1 }))
    chat.push(event.kind === "image" ? event.drawing.codes : event);
  const greedyTalk: unknown[] = [];
  for await (const event of model.chat(conversation.slice(0, 1), { temperature: 0, images: "never", maxTokens: 40 }))
    greedyTalk.push(event);
  return {
    describe: await model.describe(pictures),
    describeBestOfFour: await model.describe(pictures, { bestOf: 4, seed: 11 }),
    describeGreedy: await model.describe(pictures, { bestOf: 1 }),
    describeBeams: await model.describe(pictures, { beams: 3 }),
    ask: await model.ask(pictures[1]!, "how many pigs are there?"),
    askSampled: await model.ask(pictures[1]!, "what do you see?", { temperature: 1, topK: 20, minP: 0.01, seed: 9 }),
    chat,
    greedyTalk,
    draw: await model.drawCodes("a red apple", { count: 2, seed: 5 }),
    drawGreedy: await model.drawCodes("a turtle", { temperature: 0 }),
    drawBeams: await model.drawCodes("two cats", { beams: 2 }),
    drawGuided: await model.drawCodes("two cats", { guidance: 2, negative: "a dog", seed: 3 }),
    drawAuto: await model.drawCodes("a blue car", { images: "auto", seed: 1 }),
  };
}

test("the shipped model says and draws what it always has", async () => {
  const said = JSON.parse(JSON.stringify(await sayEverything())) as unknown;
  if (RECORD) await writeFile(FIXTURE, `${JSON.stringify(said)}\n`);
  expect(said).toEqual(JSON.parse(await readFile(FIXTURE, "utf8")));
});
