import { describe, expect, it } from "vitest";
import { functionModel, tinyTokenizer } from "../../../test/tiny-lm.ts";
import { type GenerateEvent, type GenerateOptions, generate } from "./generate.ts";
import { ReplyScheduler } from "./reply-scheduler.ts";
import type { TokenModel, TokenState } from "./token-model.ts";

const tokenizer = tinyTokenizer();
/**
 * Logits depend on the whole sequence, so mixed-up sequences would show. Counts how many are read at a time. Its states can
 * be joined or not.
 */
function babbler(joins = true): TokenModel & { readonly reads: number[] } {
  const reads: number[] = [];
  const model = functionModel((ids) => {
    let state = ids.reduce((sum, id, i) => (sum * 31 + id * (i + 7)) % 9973, 17);
    return Float32Array.from({ length: tokenizer.size }, () => {
      state = (state * 48271) % 2147483647;
      return (state % 1000) / 150;
    });
  });
  const inners = new WeakMap<TokenState, TokenState>();
  const start = (): TokenState => {
    const inner = model.start();
    const state: TokenState = {
      read: async (tokens, parents) => {
        reads.push(tokens.length);
        await new Promise((done) => setTimeout(done)); // as a worker thread answers
        return inner.read(tokens, parents);
      },
      ...(joins && {
        join: (other, own, others) => inner.join?.(inners.get(other) as TokenState, own, others) ?? Promise.resolve(),
      }),
    };
    inners.set(state, inner);
    return state;
  };
  return { context: model.context, start, reads };
}

async function all(events: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const list: GenerateEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

const prompts = ["hi", "a", "no", "hello"].map((text) => tokenizer.encode(text));
const options = (i: number): GenerateOptions => ({ temperature: 1, seed: i, maxTokens: 20 + i, images: "never" });

describe("ReplyScheduler", () => {
  it("gives each caller what `generate` gives it alone, and computes those that wait together", async () => {
    const scheduler = new ReplyScheduler();
    const model = babbler();
    const together = await Promise.all(prompts.map((p, i) => all(scheduler.reply(model, tokenizer, p, options(i)))));
    const alone = await Promise.all(prompts.map((p, i) => all(generate(babbler(), tokenizer, p, options(i)))));
    expect(together).toEqual(alone);
    expect(model.reads[0]).toBe(prompts.length);
  });

  it("lets newcomers join those who speak, as many as there is room for", async () => {
    const scheduler = new ReplyScheduler({ batch: 3, groups: 1 });
    const model = babbler();
    const asked = prompts.map(async (prompt, i) => {
      await new Promise((done) => setTimeout(done, 12 * i));
      return all(scheduler.reply(model, tokenizer, prompt, { ...options(i), stop: [0], maxTokens: 60 }));
    });
    const expected = prompts.map((prompt, i) =>
      all(generate(babbler(), tokenizer, prompt, { ...options(i), stop: [0], maxTokens: 60 })),
    );
    expect(await Promise.all(asked)).toEqual(await Promise.all(expected));
    expect(Math.max(...model.reads)).toBe(3);
    expect(model.reads[0]).toBe(1);
    expect(model.reads.length).toBeLessThan(3 * 60);
  });

  it.each([true, false])("starts a newcomer while others speak (states that join: %s)", async (joins) => {
    const scheduler = new ReplyScheduler({ batch: 2, groups: 2 });
    const model = babbler(joins);
    let firstEnded = false;
    const long = all(
      scheduler.reply(model, tokenizer, prompts[0]!, { temperature: 1, maxTokens: 400, stop: [0], images: "never" }),
    ).then(() => {
      firstEnded = true;
    });
    await new Promise((done) => setTimeout(done, 5));
    await all(scheduler.reply(model, tokenizer, prompts[1]!, { temperature: 1, maxTokens: 3, images: "never" }));
    expect(firstEnded).toBe(false);
    await long;
  });

  it("ends the computation of a reply that nobody waits for any more, and only that", async () => {
    const scheduler = new ReplyScheduler();
    const model = babbler();
    const endless = { temperature: 1, maxTokens: 900, stop: [0], images: "never" } as const;
    const stop = new AbortController();
    const aborted = all(scheduler.reply(model, tokenizer, prompts[0]!, { ...endless, signal: stop.signal }));
    const kept = all(scheduler.reply(model, tokenizer, prompts[1]!, { ...endless, maxTokens: 60 }));
    for await (const event of scheduler.reply(model, tokenizer, prompts[2]!, endless)) if (event.kind === "text") break;
    stop.abort(new Error("gone"));
    await expect(aborted).rejects.toThrow("gone");
    expect((await kept).at(-1)?.kind).toBe("end");
    const reads = model.reads.length;
    await new Promise((done) => setTimeout(done, 20));
    expect(model.reads.length).toBe(reads);
    expect(model.reads.length).toBeLessThan(100);
  });

  it("tells everybody of a group when the model fails, and works again afterwards", async () => {
    const scheduler = new ReplyScheduler();
    const broken: TokenModel = {
      context: 100,
      start: () => ({ read: () => Promise.reject(new Error("worker died")) }),
    };
    const asked = prompts.map((p) => all(scheduler.reply(broken, tokenizer, p, {})));
    for (const one of asked) await expect(one).rejects.toThrow("worker died");
    expect((await all(scheduler.reply(babbler(), tokenizer, prompts[0]!, options(1)))).at(-1)?.kind).toBe("end");
  });
});
