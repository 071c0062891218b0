import { describe, expect, it } from "vitest";
import { functionModel, plainTokenizer, scriptedModel, tinyTokenizer } from "../../../test/tiny-lm.ts";
import { Rng } from "../../base/rng.ts";
import { splitReply } from "../../text/index.ts";
import { beamSearch } from "./beams.ts";
import { type GenerateEvent, type GenerateOptions, generate } from "./generate.ts";
import { fitPrompt } from "./prompt.ts";
import type { TokenModel } from "./token-model.ts";

const tokenizer = tinyTokenizer();
const { image } = tokenizer;
const stop = tokenizer.eos!;
const codes = Array.from({ length: 32 }, (_, i) => (i * 7) % image.codes);
const picture = [image.start, ...codes.map((code) => image.first + code), image.end];
const text = (s: string): number[] => tokenizer.encode(s);
const say = (...ids: number[]): TokenModel => scriptedModel([...ids, stop], tokenizer.size);

async function events(model: TokenModel, prompt: string, options: GenerateOptions = {}): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of generate(model, tokenizer, text(prompt), { temperature: 0, ...options })) all.push(event);
  return all;
}

/** Any token may come next, equally likely or nearly so, always the same after the same ids. */
const babbler = (size = tokenizer.size): TokenModel =>
  functionModel((ids) => {
    const rng = new Rng(ids.reduce((hash, id) => Math.imul(hash, 31) + id, 7));
    return Float32Array.from({ length: size }, () => rng.normal());
  });

describe("generate", () => {
  it("streams words as soon as they are certain, and pictures whole", async () => {
    expect(await events(say(...text("a é"), ...picture, ...text("cat")), "hi")).toEqual([
      { kind: "text", text: "a" },
      { kind: "text", text: " " },
      { kind: "text", text: "é" },
      { kind: "image", codes },
      { kind: "text", text: "cat" },
      { kind: "end", reason: "stop", ids: [...text("a é"), ...picture, ...text("cat")] },
    ]);
  });

  it("ends at the allowed number of tokens", async () => {
    const all = await events(say(...text("abcdef")), "hi", { maxTokens: 3 });
    expect(all.at(-1)).toEqual({ kind: "end", reason: "length", ids: text("abc") });
  });

  it("ends at the context", async () => {
    const model = scriptedModel(text("a"), tokenizer.size, 5);
    expect((await events(model, "hi")).at(-1)).toMatchObject({ reason: "length", ids: text("aaa") });
  });

  it("ends at other stop tokens when asked to", async () => {
    const all = await events(say(...text("ab.c")), "hi", { stop: text(".") });
    expect(all.at(-1)).toMatchObject({ reason: "stop", ids: text("ab") });
  });

  it("stops at once when it is aborted", async () => {
    const controller = new AbortController();
    const run = async (): Promise<void> => {
      for await (const _ of generate(say(...text("abc")), tokenizer, text("hi"), { signal: controller.signal }))
        controller.abort();
    };
    await expect(run()).rejects.toMatchObject({ name: "AbortError" });
  });

  it("refuses a prompt longer than the context, with both lengths", async () => {
    const model = scriptedModel([stop], tokenizer.size, 4);
    await expect(events(model, "abcdef")).rejects.toThrow(
      "prompt: expected at most 3 tokens, got 6. Shorten it, or set truncate to cut its start.",
    );
    expect((await events(model, "abcdef", { truncate: true })).at(-1)).toMatchObject({ reason: "stop" });
  });

  it("works without tokens for pictures, and says so if one is asked for", async () => {
    const plain = plainTokenizer();
    const all: GenerateEvent[] = [];
    for await (const event of generate(say(...text("ab")), plain, text("hi"), { temperature: 0 })) all.push(event);
    expect(all.at(-1)).toMatchObject({ kind: "end", reason: "stop" });
    const forced = generate(say(stop), plain, text("hi"), { images: "force" });
    await expect(forced.next()).rejects.toThrow("expected the tokens <img>, </img> and <img_00000>..");
  });
});

describe("pictures among the words", () => {
  const reply = (all: readonly GenerateEvent[]): readonly number[] => (all.at(-1) as { ids: readonly number[] }).ids;

  it.each([0, 1, 2, 3, 4])("are well formed under any sampling (seed %i)", async (seed) => {
    const options = { temperature: 1.5, maxTokens: 200, seed, stop: [stop] } as const;
    const ids = reply(await events(babbler(), "hi", { ...options, images: "force" }));
    const parts = splitReply(ids, image);
    expect(parts[0]!.kind).toBe("image");
    expect(parts.slice(0, -1).filter(({ kind }) => kind === "broken")).toEqual([]);
  });

  it("are never begun when they are not wanted", async () => {
    const ids = reply(await events(babbler(), "hi", { temperature: 2, maxTokens: 150, images: "never" }));
    expect(splitReply(ids, image).map(({ kind }) => kind)).toEqual(["text"]);
  });

  it("are left to the model when the rule is off", async () => {
    const broken = [image.start, image.first, image.first + 1, image.end];
    const all = await events(say(...text("a"), ...broken, ...text("b")), "hi", { images: "free" });
    expect(all.map(({ kind }) => kind)).toEqual(["text", "broken", "text", "end"]);
  });

  it("continue what the prompt has begun", async () => {
    const prompt = [...text("hi"), ...picture.slice(0, 5)];
    const all: GenerateEvent[] = [];
    for await (const event of generate(babbler(), tokenizer, prompt, { maxTokens: 29 })) all.push(event);
    const [first] = all;
    expect(first?.kind === "image" && first.codes.slice(0, 4)).toEqual(codes.slice(0, 4));
  });

  it("that are cut off by the allowed length are given out as broken", async () => {
    const all = await events(say(...picture), "hi", { maxTokens: 10 });
    expect(all.map(({ kind }) => kind)).toEqual(["broken", "end"]);
  });
});

describe("beams", () => {
  it("find the reply that is most likely as a whole, which greedy search misses", async () => {
    const [a, b, c] = text("abc") as [number, number, number];
    const model = functionModel((ids) => {
      const shares = new Map<number, number>();
      const last = ids.at(-1);
      if (last === a) shares.set(c, 0.5).set(stop, 0.5);
      else if (last === b) shares.set(stop, 1);
      else if (last === c) shares.set(stop, 1);
      else shares.set(a, 0.6).set(b, 0.4);
      const logits = new Float32Array(tokenizer.size).fill(-50);
      for (const [id, share] of shares) logits[id] = Math.log(share);
      return logits;
    });
    const replies = await beamSearch(model, tokenizer, text("hi"), { beams: 2, lengthPenalty: 0 });
    expect(replies.map(({ ids }) => ids)).toEqual([[b], [a]]);
    expect(replies[0]!.score).toBeCloseTo(Math.log(0.4), 5);
    expect(replies[1]!.score).toBeCloseTo(Math.log(0.3), 5);
  });

  it("keep pictures well formed", async () => {
    const replies = await beamSearch(babbler(), tokenizer, text("hi"), { beams: 3, maxTokens: 60, images: "force" });
    expect(replies.length).toBe(3);
    for (const { ids } of replies) {
      const parts = splitReply(ids, image);
      expect(parts[0]!.kind).toBe("image");
      expect(parts.slice(0, -1).filter(({ kind }) => kind === "broken")).toEqual([]);
    }
  });

  it("stop when they are aborted, and refuse a number that makes no sense", async () => {
    const signal = AbortSignal.abort();
    await expect(beamSearch(babbler(), tokenizer, text("hi"), { signal })).rejects.toMatchObject({
      name: "AbortError",
    });
    await expect(beamSearch(babbler(), tokenizer, text("hi"), { beams: 0 })).rejects.toThrow(
      "beams: expected at least 1, got 0.",
    );
  });
});

describe("fitPrompt", () => {
  it("keeps the first token and the newest, and no part of a picture", () => {
    const words = Array.from({ length: 20 }, () => text("a")[0]!);
    const options = { context: 40, truncate: true, image };
    const cut = fitPrompt([tokenizer.bos!, ...words, ...picture, ...text("bc")], options);
    expect(cut).toEqual([tokenizer.bos!, ...text("bc")]);
    expect(fitPrompt([1, ...words, ...words, ...words], { ...options, context: 20 })).toEqual([
      1,
      ...words.slice(0, 14),
    ]);
  });
  it("refuses an empty prompt", () => {
    expect(() => fitPrompt([], { context: 4, truncate: true, image: undefined })).toThrow(
      "prompt: expected at least one",
    );
  });
});
