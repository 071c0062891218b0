/** Replies to many prompts, several at once: reading weights takes most of the time, and they are read once for all. */
import { UsageError } from "../errors.ts";
import type { LmTokenizer } from "../text/index.ts";
import { type GenerateEvent, type GenerateOptions, GrowingReply } from "./generate.ts";
import type { TokenModel } from "./token-model.ts";

export interface GenerateAllOptions extends GenerateOptions {
  /** Prompts at a time, those of one length together. Default 16. */
  readonly batch?: number;
  /** After each reply. */
  readonly onReply?: (done: number, total: number) => void;
}

/**
 * What the model says after each prompt, in their order. Each reply is what `generate` gives for its prompt alone, with the
 * same seed, but for rounding, which with 8-bit rows is that of the whole batch.
 * @throws as `generate`, before anything is said if a prompt is too long
 */
export async function generateAll(
  model: TokenModel,
  tokenizer: LmTokenizer,
  prompts: readonly (readonly number[])[],
  options: GenerateAllOptions = {},
): Promise<GenerateEvent[][]> {
  const { batch = 16, onReply, signal } = options;
  if (!Number.isInteger(batch) || batch < 1) throw new UsageError(`generate: expected a batch from 1, got ${batch}.`);
  const replies = prompts.map((prompt) => {
    const events: GenerateEvent[] = [];
    return { reply: new GrowingReply(model, tokenizer, prompt, options), events };
  });
  let done = 0;
  for (const together of batchesOfOneLength(replies, ({ reply }) => reply.unread.length, batch)) {
    const state = model.start();
    let open = together;
    let parents: number[] | undefined;
    while (open.length > 0) {
      signal?.throwIfAborted();
      const logits = await state.read(
        open.map(({ reply }) => reply.unread),
        parents,
      );
      for (const [i, { reply, events }] of open.entries()) {
        events.push(...reply.take(logits[i]!));
        if (reply.ended) onReply?.(++done, replies.length);
      }
      const left = [...open.keys()].filter((i) => !open[i]!.reply.ended);
      parents = left.length < open.length ? left : undefined;
      open = left.map((i) => open[i]!);
    }
  }
  return replies.map(({ events }) => events);
}

/** Sequences of one length need no padding, so all of them are read as each would be alone. */
function batchesOfOneLength<T>(items: readonly T[], length: (item: T) => number, batch: number): T[][] {
  const groups = new Map<number, T[]>();
  for (const item of items) groups.set(length(item), [...(groups.get(length(item)) ?? []), item]);
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / batch) }, (_, i) => group.slice(i * batch, (i + 1) * batch)),
  );
}
