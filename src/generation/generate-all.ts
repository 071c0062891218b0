/** Replies to many prompts, several at once: reading weights takes most of the time, and they are read once for all. */
import { UsageError } from "../errors.ts";
import type { LmTokenizer } from "../text/index.ts";
import { type GenerateEvent, type GenerateOptions, GrowingReply } from "./generate.ts";
import type { TokenModel } from "./token-model.ts";

export interface GenerateAllOptions extends GenerateOptions {
  /** Prompts at a time, those of one length together. Default 16. */
  readonly batch?: number;
  /** One for each prompt, in place of `seed`: several replies to one prompt. */
  readonly seeds?: readonly number[];
  /** After each reply. */
  readonly onReply?: (done: number, total: number) => void;
}

/**
 * What the model says after each prompt, in their order. Each reply is what `generate` gives for its prompt alone, with the
 * same seed, but for rounding, which with 8-bit rows is that of the whole batch. A prompt that stands several times in a
 * batch is read once.
 * @throws as `generate`, before anything is said if a prompt is too long
 */
export async function generateAll(
  model: TokenModel,
  tokenizer: LmTokenizer,
  prompts: readonly (readonly number[])[],
  options: GenerateAllOptions = {},
): Promise<GenerateEvent[][]> {
  const { batch = 16, seeds, onReply, signal } = options;
  if (!Number.isInteger(batch) || batch < 1) throw new UsageError(`generate: expected a batch from 1, got ${batch}.`);
  if (seeds && seeds.length !== prompts.length)
    throw new UsageError(`generate: expected a seed for each of ${prompts.length} prompts, got ${seeds.length}.`);
  const replies = prompts.map((prompt, i) => {
    const events: GenerateEvent[] = [];
    const own = seeds ? { ...options, seed: seeds[i]! } : options;
    return { reply: new GrowingReply(model, tokenizer, prompt, own), events };
  });
  let done = 0;
  for (const together of batchesOfOneLength(replies, ({ reply }) => reply.unread.length, batch)) {
    const state = model.start();
    let open = together;
    let { unread, rows } = different(open.map(({ reply }) => reply.unread));
    let parents: number[] | undefined;
    while (open.length > 0) {
      signal?.throwIfAborted();
      const logits = await state.read(unread, parents);
      const shared = unread.length < open.length;
      for (const [i, { reply, events }] of open.entries()) {
        const own = logits[rows[i]!]!;
        events.push(...reply.take(shared ? own.slice() : own));
        if (reply.ended) onReply?.(++done, replies.length);
      }
      const left = [...open.keys()].filter((i) => !open[i]!.reply.ended);
      parents = shared || left.length < open.length ? left.map((i) => rows[i]!) : undefined;
      open = left.map((i) => open[i]!);
      unread = open.map(({ reply }) => reply.unread);
      rows = [...open.keys()];
    }
  }
  return replies.map(({ events }) => events);
}

/** Each sequence once, and for all of them which one it is. */
function different(sequences: readonly (readonly number[])[]): { unread: (readonly number[])[]; rows: number[] } {
  const places = new Map<string, number>();
  const unread: (readonly number[])[] = [];
  const rows = sequences.map((ids) => {
    const key = ids.join();
    const known = places.get(key);
    if (known !== undefined) return known;
    places.set(key, unread.length);
    return unread.push(ids) - 1;
  });
  return { unread, rows };
}

/** Sequences of one length need no padding, so all of them are read as each would be alone. */
function batchesOfOneLength<T>(items: readonly T[], length: (item: T) => number, batch: number): T[][] {
  const groups = new Map<number, T[]>();
  for (const item of items) groups.set(length(item), [...(groups.get(length(item)) ?? []), item]);
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / batch) }, (_, i) => group.slice(i * batch, (i + 1) * batch)),
  );
}
