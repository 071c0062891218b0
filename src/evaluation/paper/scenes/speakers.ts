/** Language models in the form that arms use: asked about pictures, or without one. */
import type { RgbImage } from "../../../image/index.ts";
import type { FeatureReader } from "../../../language/feature-reader.ts";
import type { SeedLanguageModel, Turn } from "../../../language/index.ts";

export interface SpeakingOptions {
  /** 1 takes the likeliest token each time. */
  readonly beams: number;
  readonly onReply?: (done: number, total: number) => void;
}

export interface ArmSpeaker {
  /** What each picture shows; without a picture, what pictures usually show. */
  describe(images: readonly (RgbImage | undefined)[], options: SpeakingOptions): Promise<readonly string[]>;
  ask(
    asked: readonly { readonly question: string; readonly image?: RgbImage }[],
    options: SpeakingOptions,
  ): Promise<readonly string[]>;
}

const MAX_TOKENS = 60;
/** As descriptions are decoded everywhere else (docs/language.md). */
const PENALTY = 1.2;

type Asked = readonly { readonly question: string; readonly image?: RgbImage | undefined }[];
type Replies = (
  asked: Asked,
  options: { readonly beams: number; readonly maxTokens: number; readonly repetitionPenalty: number } & Pick<
    SpeakingOptions,
    "onReply"
  >,
) => Promise<readonly string[]>;

/** Descriptions are the answers to one request, with a penalty on repetition except by beams. */
function speaker(replies: Replies, request: string): ArmSpeaker {
  return {
    describe: (images, { beams, onReply }) =>
      replies(
        images.map((image) => ({ image, question: request })),
        { beams, onReply, maxTokens: MAX_TOKENS, repetitionPenalty: beams === 1 ? PENALTY : 1 },
      ),
    ask: (asked, options) => replies(asked, { ...options, maxTokens: MAX_TOKENS, repetitionPenalty: 1 }),
  };
}

/** A model that sees pictures as codes. */
export function codesSpeaker(model: SeedLanguageModel): ArmSpeaker {
  return speaker(async (asked, options) => {
    const conversations = asked.map(({ image, question }): Turn[] => [
      { role: "user", parts: image ? [{ image }, question] : [question] },
    ]);
    const replies = await model.respond(conversations, { ...options, temperature: 0, topP: 1, images: "never" });
    return replies.map(({ text }) => text);
  }, model.manifest.requests.describe);
}

/** A model that sees pictures as vectors. */
export function featuresSpeaker(reader: FeatureReader): ArmSpeaker {
  return speaker((asked, options) => reader.reply(asked, options), reader.manifest.requests.describe);
}
