import { describe, expect, it } from "vitest";
import { functionModel, tinyTokenizer } from "../../../test/tiny-lm.ts";
import { Rng } from "../../base/rng.ts";
import { type GenerateEvent, type GenerateOptions, generate } from "./generate.ts";
import { generateAll } from "./generate-all.ts";
import type { TokenModel } from "./token-model.ts";

const tokenizer = tinyTokenizer();
const prompts = ["hi", "a cat", "no", "a dog", "hi", "it is a cat"].map((text) => tokenizer.encode(text));

/** Logits are some numbers that depend on the whole sequence, so mixed-up sequences would show. Stops now and then. */
function babbler(context?: number): TokenModel & { reads: number[] } {
  const reads: number[] = [];
  const model = functionModel((ids) => {
    const rng = new Rng(ids.reduce((hash, id) => Math.imul(hash, 31) + id, 7));
    const logits = Float32Array.from({ length: tokenizer.size }, () => rng.normal());
    logits[tokenizer.eos!]! += 1;
    return logits;
  }, context);
  const start = (): ReturnType<TokenModel["start"]> => {
    const state = model.start();
    return {
      read: (tokens, parents) => {
        reads.push(tokens.length);
        return state.read(tokens, parents);
      },
    };
  };
  return { context: model.context, start, reads };
}

async function alone(prompt: readonly number[], options: GenerateOptions): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  for await (const event of generate(babbler(), tokenizer, prompt, options)) events.push(event);
  return events;
}

describe("generateAll", () => {
  it.each([
    { temperature: 0, maxTokens: 20 },
    { temperature: 1.2, seed: 3, maxTokens: 50 },
    { temperature: 1, seed: 4, maxTokens: 40, images: "force" },
    { temperature: 1, maxTokens: 12, stopTexts: ["a", "e"] },
  ] as const)("says of each prompt what is said of it alone (%o)", async (options) => {
    const expected = await Promise.all(prompts.map((prompt) => alone(prompt, options)));
    expect(new Set(expected.map((events) => JSON.stringify(events))).size).toBeGreaterThan(3);
    for (const batch of [1, 2, 16])
      expect(await generateAll(babbler(), tokenizer, prompts, { ...options, batch })).toEqual(expected);
  });

  it("reads each prompt once, and continues those that have not ended", async () => {
    const model = babbler();
    await generateAll(model, tokenizer, [...prompts, ...prompts], { temperature: 0, batch: 4, maxTokens: 30 });
    expect(Math.max(...model.reads)).toBeLessThan(4); // of four prompts together some are the same, and so is what they say
    expect(model.reads).toContain(1);
    const seeds = [...prompts, ...prompts].map((_, i) => i);
    await generateAll(model, tokenizer, [...prompts, ...prompts], { seeds, batch: 4, maxTokens: 30 });
    expect(Math.max(...model.reads)).toBe(4);
  });

  it("reads once what replies to one prompt have in common", async () => {
    const model = babbler();
    const many = Array.from({ length: 12 }, () => prompts[1]!);
    const options = { temperature: 0.5, maxTokens: 12 };
    const seeds = many.map((_, i) => i % 3);
    const said = await generateAll(model, tokenizer, many, { ...options, seeds });
    expect(said.slice(3)).toEqual(said.slice(0, -3));
    expect(new Set(said.map((events) => JSON.stringify(events))).size).toBe(3);
    expect(model.reads[0]).toBe(1);
    expect(Math.max(...model.reads)).toBeLessThanOrEqual(3);
  });

  it("says how likely a reply was, whatever chose its tokens", async () => {
    const [yes, no, stop] = [tokenizer.encode("y")[0]!, tokenizer.encode("n")[0]!, tokenizer.eos!];
    const model = functionModel((ids) => {
      const logits = new Float32Array(tokenizer.size).fill(-100);
      logits[stop] = ids.at(-1) === yes ? 0 : -100;
      logits[yes] = Math.log(3);
      logits[no] = 0;
      return logits;
    });
    for (const options of [
      { temperature: 0 },
      { temperature: 2, topP: 0.2, repetitionPenalty: 1.01, seed: 1 },
    ] as const) {
      const [events] = await generateAll(model, tokenizer, [[no]], {
        ...options,
        images: "never",
        maxTokens: 2,
        likelihood: true,
      });
      const end = events!.at(-1) as GenerateEvent & { kind: "end" };
      expect(end.ids).toEqual([yes, yes]);
      expect(end.logLikelihood).toBeCloseTo(Math.log(3 / 4) + Math.log(3 / 5), 6);
    }
    const [events] = await generateAll(model, tokenizer, [[no]], { temperature: 0, maxTokens: 2 });
    expect(events!.at(-1)).toMatchObject({ kind: "end", logLikelihood: undefined });
  });

  it("says different things of one prompt, each of a seed of its own", async () => {
    const same = [prompts[1]!, prompts[1]!, prompts[3]!, prompts[1]!];
    const seeds = [7, 8, 9, 10];
    const options = { temperature: 1, maxTokens: 30, images: "auto" } as const;
    const expected = await Promise.all(same.map((prompt, i) => alone(prompt, { ...options, seed: seeds[i]! })));
    expect(new Set(expected.map((events) => JSON.stringify(events))).size).toBe(4);
    for (const batch of [1, 3, 16])
      expect(await generateAll(babbler(), tokenizer, same, { ...options, seeds, batch })).toEqual(expected);
  });

  it("says how many are done", async () => {
    const seen: [number, number][] = [];
    const onReply = (done: number, total: number): void => void seen.push([done, total]);
    await generateAll(babbler(), tokenizer, prompts, { temperature: 0, maxTokens: 9, onReply });
    expect(seen).toEqual(prompts.map((_, i) => [i + 1, prompts.length]));
    expect(await generateAll(babbler(), tokenizer, [], { onReply })).toEqual([]);
  });

  it("refuses before it speaks, and stops when it is aborted", async () => {
    const model = babbler(8);
    const long = generateAll(model, tokenizer, [...prompts, tokenizer.encode("a long story")], {});
    await expect(long).rejects.toThrow("prompt: expected at most 7 tokens, got");
    expect(model.reads).toEqual([]);
    await expect(generateAll(model, tokenizer, prompts, { batch: 0 })).rejects.toThrow(
      "expected a batch from 1, got 0",
    );
    await expect(generateAll(model, tokenizer, prompts.slice(0, 1), { maxTokens: 0 })).rejects.toThrow(
      "expected maxTokens of at least 1, got 0",
    );
    const controller = new AbortController();
    const stopped = generateAll(babbler(), tokenizer, prompts, {
      signal: controller.signal,
      onReply: () => controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
  });
});
