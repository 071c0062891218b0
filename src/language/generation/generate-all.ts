/** Replies to many prompts in batches: most of the time goes into reading weights, which are read once per batch. */
import { UsageError } from "../../base/errors.ts";
import type { LmTokenizer } from "../../text/index.ts";
import { type GenerateEvent, type GenerateOptions, GrowingReply } from "./generate.ts";
import { ReplyGroup } from "./reply-group.ts";
import type { TokenModel } from "./token-model.ts";

export interface GenerateAllOptions extends GenerateOptions {
  /** Prompts per batch, those of similar length together. Default 16. */
  readonly batch?: number;
  /** One seed per prompt, instead of `seed`: different replies to one prompt. */
  readonly seeds?: readonly number[];
  /** After each reply. */
  readonly onReply?: (done: number, total: number) => void;
}

/**
 * Replies to the prompts, in their order. Each is what `generate` yields for its prompt alone with the same seed, except for
 * rounding, which with 8-bit weights is that of the whole batch. Equal beginnings of prompts and replies are computed once.
 * @throws as `generate`; if a prompt is too long, before anything is computed
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

/** Sequences of similar length together, so that there is little padding. */
function batchesByLength<T>(items: readonly T[], length: (item: T) => number, batch: number): T[][] {
  const sorted = [...items].sort((a, b) => length(a) - length(b));
  return Array.from({ length: Math.ceil(sorted.length / batch) }, (_, i) => sorted.slice(i * batch, (i + 1) * batch));
}
