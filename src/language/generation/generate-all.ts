/** Replies to many prompts, several at once: reading weights takes most of the time, and they are read once for all. */
import { UsageError } from "../../base/errors.ts";
import type { LmTokenizer } from "../../text/index.ts";
import { type GenerateEvent, type GenerateOptions, GrowingReply } from "./generate.ts";
import { ReplyGroup } from "./reply-group.ts";
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
  let done = 0;
  const members = prompts.map((prompt, i) => {
    const events: GenerateEvent[] = [];
    const reply = new GrowingReply(model, tokenizer, prompt, seeds ? { ...options, seed: seeds[i] } : options);
    const onEvents = (more: readonly GenerateEvent[]): void => {
      events.push(...more);
      if (reply.ended) onReply?.(++done, prompts.length);
    };
    return { reply, events, onEvents };
  });
  for (const together of batchesByLength(members, ({ reply }) => reply.unread.length, batch)) {
    const group = new ReplyGroup(model, together);
    while (group.open.length > 0) {
      signal?.throwIfAborted();
      await group.step();
    }
  }
  return members.map(({ events }) => events);
}

/** Sequences of similar length together, so that little is padding. */
function batchesByLength<T>(items: readonly T[], length: (item: T) => number, batch: number): T[][] {
  const sorted = [...items].sort((a, b) => length(a) - length(b));
  return Array.from({ length: Math.ceil(sorted.length / batch) }, (_, i) => sorted.slice(i * batch, (i + 1) * batch));
}
