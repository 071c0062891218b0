import { describe, expect, it } from "vitest";
import { scriptedModel, tinyTokenizer } from "../../../test/tiny-lm.ts";
import { beamSearch } from "./beams.ts";
import { type GenerateEvent, generate } from "./generate.ts";
import { HeldText, StopTexts } from "./stop-text.ts";

const tokenizer = tinyTokenizer();
const { image } = tokenizer;
const text = (s: string): number[] => tokenizer.encode(s);
const stopTexts = ["\nUSER:"];
const picture = [image.start, ...Array.from({ length: 32 }, (_, i) => image.first + i), image.end];

async function reply(ids: readonly number[]): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  const model = scriptedModel(ids, tokenizer.size);
  for await (const event of generate(model, tokenizer, text("hi"), { temperature: 0, stopTexts, maxTokens: 60 }))
    all.push(event);
  return all;
}

const said = (all: readonly GenerateEvent[]): string => all.map((e) => (e.kind === "text" ? e.text : "")).join("");

describe("a reply", () => {
  it("ends where the other's turn would begin, and says nothing of it", async () => {
    const all = await reply(text("a cat\nUSER: hi"));
    expect(said(all)).toBe("a cat");
    expect(all.at(-1)).toEqual({ kind: "end", reason: "stop", ids: text("a cat") });
  });

  it("continues after what only looked like it", async () => {
    const all = await reply([...text("a\nUSE\nUx\n"), tokenizer.eos!]);
    expect(said(all)).toBe("a\nUSE\nUx\n");
  });

  it("gives out what was held back when a picture or the end comes", async () => {
    const all = await reply([...text("a\nUS"), ...picture, ...text("\nUSER:")]);
    expect(all.map(({ kind }) => kind)).toEqual(["text", "text", "image", "end"]);
    expect(said(all)).toBe("a\nUS");
    expect((all.at(-1) as { ids: readonly number[] }).ids).toEqual([...text("a\nUS"), ...picture]);
  });

  it("ends there with beams too", async () => {
    const model = scriptedModel(text("a cat\nUSER: hi"), tokenizer.size);
    const [best] = await beamSearch(model, tokenizer, text("hi"), { beams: 2, stopTexts, maxTokens: 20 });
    expect(best).toMatchObject({ ids: text("a cat"), reason: "stop" });
  });
});

describe("stop texts", () => {
  it("are found only where the last id completes one", () => {
    const stops = new StopTexts(tokenizer, stopTexts);
    const ids = text("ab\nUSER:");
    expect(stops.before(ids)).toBe(2);
    expect(stops.before(ids.slice(0, -1))).toBeUndefined();
    expect(stops.before([])).toBeUndefined();
  });

  it("hold text back, in pieces of any size", () => {
    const whole = "one\n\nUSE two\nUSER: three";
    for (const size of [1, 2, 3, 5, 100]) {
      const held = new HeldText(stopTexts);
      let out = "";
      for (let at = 0; at < whole.length; at += size) out += held.push(whole.slice(at, at + size));
      expect(out + held.end()).toBe("one\n\nUSE two");
      expect(held.stopped).toBe(true);
    }
  });
});
