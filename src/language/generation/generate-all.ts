/** Replies to many prompts, several at once: reading weights takes most of the time, and they are read once for all. */
import { UsageError } from "../../base/errors.ts";
import type { LmTokenizer } from "../../text/index.ts";
import { type GenerateEvent, type GenerateOptions, GrowingReply } from "./generate.ts";
import type { TokenModel } from "./token-model.ts";

export interface GenerateAllOptions extends GenerateOptions {
  /** Prompts at a time, those of similar length together. Default 16. */
  readonly batch?: number;
  /** One for each prompt, in place of `seed`: several replies to one prompt. */
  readonly seeds?: readonly number[];
  /** After each reply. */
  readonly onReply?: (done: number, total: number) => void;
}

/**
 * What the model says after each prompt, in their order. Each reply is what `generate` gives for its prompt alone, with the
 * same seed, but for rounding, which with 8-bit rows is that of the whole batch. What begins alike in a batch, prompts and
 * replies, is read once.
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
  for (const together of batchesByLength(replies, ({ reply }) => reply.unread.length, batch)) {
    const state = model.start();
    let open = together;
    /** For each reply, which of the sequences read so far it goes on with; of `read` many. */
    let [rows, read] = [open.map(() => 0), 0];
    while (open.length > 0) {
      signal?.throwIfAborted();
      const next = different(open.map(({ reply }, i) => ({ parent: rows[i]!, unread: reply.unread })));
      const asTheyAre = next.parents.length === read && next.parents.every((parent, i) => parent === i);
      const logits = await state.read(next.unread, read === 0 || asTheyAre ? undefined : next.parents);
      read = next.unread.length;
      const shared = read < open.length;
      for (const [i, { reply, events }] of open.entries()) {
        const own = logits[next.rows[i]!]!;
        events.push(...reply.take(shared ? own.slice() : own));
        if (reply.ended) onReply?.(++done, replies.length);
      }
      const left = [...open.keys()].filter((i) => !open[i]!.reply.ended);
      rows = left.map((i) => next.rows[i]!);
      open = left.map((i) => open[i]!);
    }
  }
  return replies.map(({ events }) => events);
}

interface Sequences {
  readonly unread: (readonly number[])[];
  readonly parents: number[];
  /** For each of those asked about, which sequence it is. */
  readonly rows: number[];
}

/** Each sequence once: those that go on with the same one, by the same tokens, are one. */
function different(sequences: readonly { readonly parent: number; readonly unread: readonly number[] }[]): Sequences {
  const places = new Map<string, number>();
  const [unread, parents]: [(readonly number[])[], number[]] = [[], []];
  const rows = sequences.map((one) => {
    const key = `${one.parent}:${one.unread.join()}`;
    const known = places.get(key);
    if (known !== undefined) return known;
    places.set(key, unread.length);
    parents.push(one.parent);
    return unread.push(one.unread) - 1;
  });
  return { unread, parents, rows };
}

/** Sequences of similar length together, so that little is padding. */
function batchesByLength<T>(items: readonly T[], length: (item: T) => number, batch: number): T[][] {
  const sorted = [...items].sort((a, b) => length(a) - length(b));
  return Array.from({ length: Math.ceil(sorted.length / batch) }, (_, i) => sorted.slice(i * batch, (i + 1) * batch));
}
