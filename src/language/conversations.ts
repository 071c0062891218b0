/** Conversations with codes in place of their images, cut to what the model can read. */
import { InputError, UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { withDefaults } from "../base/with-defaults.ts";
import { type Codes, checkCodes } from "../codes/index.ts";
import type { ImageSource, SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import type { ChatTurn } from "../text/index.ts";
import { type ChatModel, PICTURE_TOKENS, SAMPLING } from "./chat-model.ts";
import type { ImageInput, Reply, RespondOptions, Turn } from "./options.ts";

interface EncodeOptions {
  readonly signal?: AbortSignal;
  /** Images tokenized at a time. */
  readonly batch: number;
}

/** @throws InputError if there is none: callers without types may pass `undefined` */
export function expectImage(image: ImageInput | null | undefined): void {
  if (image === undefined || image === null) throw new InputError("ask: expected an image, got none. Name one.");
}

/** The codes of images. Given codes are checked and kept. */
export async function codesOf(
  tokenizer: SeedTokenizer,
  images: readonly ImageInput[],
  options: EncodeOptions,
): Promise<Codes[]> {
  options.signal?.throwIfAborted();
  const codes = images.map((image) =>
    hasCodes(image) ? checkCodes(Array.from(image.codes), "picture", tokenizer.codebookSize) : undefined,
  );
  const encoded = await tokenizer.encode(
    images.filter((image): image is ImageSource => !hasCodes(image)),
    options,
  );
  let next = 0;
  return codes.map((known) => known ?? Array.from(item(encoded, next++).codes));
}

/** The same for conversations. */
export async function encodeTurns(
  tokenizer: SeedTokenizer,
  conversations: readonly (readonly Turn[])[],
  options: EncodeOptions,
): Promise<ChatTurn[][]> {
  const parts = conversations.flatMap((turns) => turns.flatMap((turn) => turn.parts));
  const images = parts.filter((part) => typeof part !== "string").map((part) => ("image" in part ? part.image : part));
  const codes = await codesOf(tokenizer, images, options);
  let next = 0;
  return conversations.map((turns) =>
    turns.map(({ role, parts }) => ({
      role,
      parts: parts.map((part) => (typeof part === "string" ? part : { codes: item(codes, next++) })),
    })),
  );
}

/** Leaves out the oldest question and its answer, again and again, until the rest fits or only the last turn is left. */
export function fitTurns(
  chat: ChatModel,
  turns: readonly ChatTurn[],
  mostTokens: number,
): { readonly prompt: number[]; readonly truncated: number } {
  const system = turns[0]?.role === "system" ? 1 : 0;
  for (let truncated = 0; ; truncated += 2) {
    const left = [...turns.slice(0, system), ...turns.slice(system + truncated)];
    const prompt = chat.prompt(left);
    if (prompt.length <= mostTokens || left.length - system <= 2) return { prompt, truncated };
  }
}

/** See `SeedLanguageModel.respond`. */
export async function respond(
  chat: ChatModel,
  tokenizer: SeedTokenizer,
  conversations: readonly (readonly Turn[])[],
  options: RespondOptions,
): Promise<Reply[]> {
  const { beams = 1, images = "auto", truncate = false, batch = 16, prefix = "", signal } = options;
  if (!Number.isInteger(batch) || batch < 1) throw new UsageError(`respond: expected a batch from 1, got ${batch}.`);
  if (options.seeds && beams > 1) throw new UsageError("respond: expected seeds or beams, got both.");
  const reserve = images === "force" ? PICTURE_TOKENS : 1;
  const mostTokens = truncate ? chat.context - Math.max(reserve, chat.room) : Number.POSITIVE_INFINITY;
  const encoded = await encodeTurns(tokenizer, conversations, { batch, signal });
  const begun = chat.tokenizer.encode(prefix);
  const prompts = encoded.map((turns) => [...fitTurns(chat, turns, mostTokens - begun.length).prompt, ...begun]);
  return chat.replies(prompts, { ...withDefaults(SAMPLING, options), images, reserve, batch });
}

function hasCodes(image: ImageInput): image is { readonly codes: ArrayLike<number> } {
  return typeof image === "object" && image !== null && "codes" in image;
}
