import { expect, it } from "vitest";
import { functionModel, tinyTokenizer } from "../../../test/tiny-lm.ts";
import { beamSearch } from "./beams.ts";
import { type GenerateEvent, generate } from "./generate.ts";
import { guidedModel } from "./guidance.ts";
import { fitPrompt } from "./prompt.ts";

const tokenizer = tinyTokenizer();
const { image } = tokenizer;
const [a, b] = tokenizer.encode("ab") as [number, number];

/** Code 1 is a little likelier than code 2, whatever is asked for; code 2 likelier if the prompt has an a. */
const model = functionModel((ids) => {
  const logits = new Float32Array(tokenizer.size);
  logits[image.first + 1] = 3;
  logits[image.first + 2] = ids.includes(a) ? 2.5 : 0;
  logits[b] = ids.includes(a) ? 1 : 9;
  return logits;
});
const guided = (scale: number) => guidedModel(model, { scale, without: [b], image });

it("moves codes away from what would be drawn without the prompt, and leaves words alone", async () => {
  const read = async (scale: number, last: number): Promise<Float32Array> => {
    const state = guided(scale).start();
    await state.read([[a, b]]);
    return (await state.read([[last]]))[0]!;
  };
  const [one, three] = [await read(1, image.start), await read(3, image.start)];
  expect([one[image.first + 1], one[image.first + 2], one[b]]).toEqual([3, 2.5, 1]);
  expect([three[image.first + 1], three[image.first + 2], three[b]]).toEqual([3, 7.5, 1]);
  expect([...(await read(3, b))]).toEqual([...(await read(1, b))]);
});

it("works with samplers and beams", async () => {
  const options = { images: "force", maxTokens: 34 } as const;
  const pictures: GenerateEvent[] = [];
  for await (const event of generate(guided(3), tokenizer, [a], { ...options, temperature: 0 })) pictures.push(event);
  expect(pictures[0]).toEqual({ kind: "image", codes: Array(32).fill(2) });
  const [best] = await beamSearch(guided(1), tokenizer, [a], { ...options, beams: 2 });
  expect(best!.ids[1]).toBe(image.first + 1);
  const [other] = await beamSearch(guided(3), tokenizer, [a], { ...options, beams: 2 });
  expect(other!.ids[1]).toBe(image.first + 2);
});

it("refuses what makes no sense", async () => {
  expect(() => guided(Number.NaN)).toThrow("guidance: expected a number, got NaN.");
  const long = guidedModel({ ...model, context: 10 }, { scale: 2, without: Array(11).fill(b), image });
  await expect(long.start().read([[a]])).rejects.toThrow(
    "guidance: expected a negative prompt that leaves room for a picture in 10 tokens, got 11 tokens. Shorten it.",
  );
});

it("prompts leave the room that a picture needs", () => {
  const options = { context: 60, image, reserve: 34 };
  const prompt = Array.from({ length: 27 }, (_, i) => i);
  expect(() => fitPrompt(prompt, { ...options, truncate: false })).toThrow("expected at most 26 tokens, got 27");
  expect(fitPrompt(prompt, { ...options, truncate: true })).toEqual([0, ...prompt.slice(2)]);
  expect(() => fitPrompt(prompt, { ...options, context: 34, truncate: true })).toThrow("expected at most 0 tokens");
});
