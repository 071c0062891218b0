/** Descriptions of images, and answers to questions about them. */
import { UsageError } from "../base/errors.ts";
import { withDefaults } from "../base/with-defaults.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import type { ChatModel } from "./chat-model.ts";
import { codesOf, expectImage, respond } from "./conversations.ts";
import { nearestTexts } from "./nearest-texts.ts";
import type { DescribeOptions, ImageInput, Question, Reply, RespondOptions, Turn } from "./options.ts";

/** Without it a small model names one of two objects twice. Chosen on validation scenes with both models (docs/log.md). */
export const DESCRIBING_PENALTY = 1.2;
const GREEDY = { temperature: 0, topP: 1, maxTokens: 120, images: "never" } as const;

/** See `SeedLanguageModel.describe`. */
export async function describe(
  chat: ChatModel,
  tokenizer: SeedTokenizer,
  images: readonly ImageInput[],
  options: DescribeOptions,
): Promise<string[]> {
  const { describing, requests } = chat.manifest;
  const bestOf = descriptions(chat, options);
  const { temperature, topP, seed = 0, batch = Math.max(16, bestOf), onReply, signal } = options;
  expectBestOf(bestOf, options);
  for (const image of images) expectImage(image);
  const settings = withDefaults({ repetitionPenalty: DESCRIBING_PENALTY }, options);
  const question = requests.describe;
  if (bestOf === 1)
    return textsOf(
      answer(
        chat,
        tokenizer,
        images.map((image) => ({ image, question })),
        settings,
      ),
    );
  // Images are tokenized and texts compared 16 at a time, however many are generated together.
  const few = { batch: options.batch ?? 16, signal };
  const pictures = await codesOf(tokenizer, images, few);
  const asked = pictures.flatMap((codes) => Array.from({ length: bestOf }, () => ({ image: { codes }, question })));
  const replies = await answer(chat, tokenizer, asked, {
    ...settings,
    batch,
    likelihood: describing.likelihood > 0,
    temperature: temperature ?? describing.temperature,
    topP: topP ?? (temperature === undefined ? describing.topP : 1),
    seeds: asked.map((_, i) => seed + (i % bestOf)),
    onReply: onReply && ((done) => onReply(Math.floor(done / bestOf), images.length)),
  });
  const texts = pictures.map((_, i) => replies.slice(i * bestOf, (i + 1) * bestOf));
  return nearestTexts(tokenizer, pictures, texts, { ...few, likelihood: describing.likelihood });
}

/** How many descriptions of an image are sampled with these options. */
export function descriptions({ manifest }: ChatModel, { bestOf, temperature, beams = 1 }: DescribeOptions): number {
  return bestOf ?? (temperature === undefined && beams === 1 ? manifest.describing.bestOf : 1);
}

function expectBestOf(bestOf: number, { temperature, beams = 1 }: DescribeOptions): void {
  if (!Number.isInteger(bestOf) || bestOf < 1)
    throw new UsageError(`describe: expected the best of 1 or more, got ${bestOf}.`);
  if (bestOf === 1) return;
  if (beams > 1)
    throw new UsageError(`describe: expected the best of ${bestOf} or ${beams} beams, got both. Choose one.`);
  if (temperature === 0)
    throw new UsageError(`describe: expected a temperature above 0 for the best of ${bestOf}, got 0.`);
}

/** Replies to questions about images. Greedy by default. @throws as `SeedLanguageModel.ask` */
export async function answer(
  chat: ChatModel,
  tokenizer: SeedTokenizer,
  asked: readonly Question[],
  options: RespondOptions,
): Promise<Reply[]> {
  const conversations = asked.map(({ image, question }): Turn[] => {
    expectImage(image);
    if (question.trim() === "") throw new UsageError("ask: expected a question, got none. Write one.");
    return [{ role: "user", parts: [{ image }, question.trim()] }];
  });
  return respond(chat, tokenizer, conversations, withDefaults(GREEDY, options));
}

export async function textsOf(replies: Promise<readonly Reply[]>): Promise<string[]> {
  return (await replies).map(({ text }) => text);
}
