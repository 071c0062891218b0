/** A language model with its chat template: conversations become prompts, and prompts are replied to. */
import type { Codes } from "../codes/index.ts";
import {
  type ChatTemplate,
  type ChatTurn,
  encodeChat,
  fillRequest,
  type LmManifest,
  type LmTokenizer,
  splitReply,
  templateOf,
} from "../text/index.ts";
import {
  beamSearch,
  type GenerateEvent,
  generateAll,
  type ImageMode,
  type OpenedModel,
  ReplyScheduler,
  type TokenModel,
} from "./generation/index.ts";
import type { BatchReplyOptions, Reply, ReplyOptions } from "./options.ts";

/** `<img>`, 32 codes, `</img>`. */
export const PICTURE_TOKENS = 34;
/** Published for SEED-LLaMA: temperature 1, top-p 0.5. */
export const SAMPLING = { temperature: 1, topP: 0.5 } as const;
/** What truncating a conversation leaves free for the reply: a few words and a picture. */
const CHAT_ROOM = 64;

export interface ReplySettings extends ReplyOptions {
  readonly images?: ImageMode;
  /** Tokens that the reply needs at least. */
  readonly reserve?: number;
  readonly onToken?: (id: number) => void;
  /** What computes the logits. Default: the model itself, without guidance. */
  readonly model?: TokenModel;
}

export class ChatModel {
  readonly model: OpenedModel;
  readonly manifest: LmManifest;
  readonly #template: ChatTemplate;
  readonly #scheduler = new ReplyScheduler();

  constructor(model: OpenedModel, manifest: LmManifest) {
    this.model = model;
    this.manifest = manifest;
    this.#template = templateOf(manifest);
  }

  get tokenizer(): LmTokenizer {
    return this.model.tokenizer;
  }

  /** Tokens of the longest conversation, including its reply. */
  get context(): number {
    return this.model.context;
  }

  /** Tokens that truncating a conversation leaves free for the reply. */
  get room(): number {
    return Math.min(CHAT_ROOM, this.context >> 2);
  }

  /** @throws UsageError if the turns do not alternate or the last one is not the user's */
  prompt(turns: readonly ChatTurn[]): number[] {
    return encodeChat(this.tokenizer, this.#template, turns).ids;
  }

  /** The text of a user who asks for this picture. */
  request(prompt: string): string {
    return fillRequest(this.manifest, prompt);
  }

  /**
   * Events of one reply: sampled, or the best of all beams. Replies that are requested at the same time grow together.
   * @throws as `generate`
   */
  async *reply(prompt: readonly number[], options: ReplySettings): AsyncGenerator<GenerateEvent, void, undefined> {
    const { beams = 1, model = this.model } = options;
    const settings = { ...options, ...this.#stops() };
    if (beams === 1) return yield* this.#scheduler.reply(model, this.tokenizer, prompt, settings);
    const [best = []] = await this.bestReplies(prompt, options);
    yield* best;
  }

  /** Events of as many replies as there are beams, the best first. @throws as `generate` */
  async bestReplies(prompt: readonly number[], options: ReplySettings): Promise<GenerateEvent[][]> {
    const { model = this.model } = options;
    const replies = await beamSearch(model, this.tokenizer, prompt, { ...options, ...this.#stops() });
    return replies.map(({ ids, reason }) => [...this.#events(ids), { kind: "end", reason, ids }]);
  }

  /** Replies to several prompts, sampled in batches, or with beams one after the other. @throws as `generateAll` */
  async replies(
    prompts: readonly (readonly number[])[],
    options: ReplySettings & BatchReplyOptions & { readonly seeds?: readonly number[]; readonly likelihood?: boolean },
  ): Promise<Reply[]> {
    const { beams = 1, onReply } = options;
    if (beams === 1)
      return (await generateAll(this.model, this.tokenizer, prompts, { ...options, ...this.#stops() })).map(replyOf);
    const replies: Reply[] = [];
    for (const prompt of prompts) {
      replies.push(replyOf(await collect(this.reply(prompt, options))));
      onReply?.(replies.length, prompts.length);
    }
    return replies;
  }

  /** A reply as a turn of the conversation. */
  turn(ids: readonly number[]): ChatTurn {
    const parts = this.#events(ids).flatMap((event): (string | { codes: Codes })[] => {
      if (event.kind === "image") return [{ codes: event.codes }];
      return event.kind === "text" && event.text.trim() !== "" ? [event.text.trim()] : [];
    });
    return { role: "assistant", parts };
  }

  close(): Promise<void> {
    return this.model.close();
  }

  /** What ends a reply. */
  #stops(): { stop: number[]; stopTexts: readonly string[] } {
    const { eos } = this.tokenizer;
    const stop = [this.tokenizer.id(this.#template.stop), ...(eos === undefined ? [] : [eos])];
    return { stop, stopTexts: this.#template.stopTexts };
  }

  #events(ids: readonly number[]): GenerateEvent[] {
    return splitReply(ids, this.tokenizer.expectImageTokens()).map((part) =>
      part.kind === "text" ? { kind: "text", text: this.tokenizer.decode(part.ids) } : part,
    );
  }
}

export async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

export function textOf(events: readonly GenerateEvent[]): string {
  return events
    .map((event) => (event.kind === "text" ? event.text : ""))
    .join("")
    .trim();
}

function replyOf(events: readonly GenerateEvent[]): Reply {
  const end = events.at(-1);
  if (end?.kind !== "end") return { text: textOf(events), pictures: [], broken: false, reason: "length" };
  return {
    text: textOf(events),
    pictures: events.flatMap((event) => (event.kind === "image" ? [event.codes] : [])),
    broken: events.some(({ kind }) => kind === "broken"),
    reason: end.reason,
    logLikelihood: end.logLikelihood,
  };
}
