/** The frozen protocol: what the papers fix, what BLIP-2's code adds, and the few choices that are the user's. */
import type { ResizeFilter } from "../../image/index.ts";

/**
 * How a language model is prompted. "paper": a plain sequence of picture and text, as SEED's own; "chat": the paper's text
 * in the adapter's chat template; "own": the requests that the adapter was trained with.
 */
export const PROMPTS = ["paper", "chat", "own"] as const;
export type Prompts = (typeof PROMPTS)[number];

export interface ProtocolSettings {
  /** How pictures are squashed to the model's square. */
  readonly filter: ResizeFilter;
  readonly prompts: Prompts;
  /** Beams of captions. */
  readonly beams: number;
  /** Beams of answers; 1 takes the likeliest token each time. */
  readonly answerBeams: number;
}

export const DEFAULTS: ProtocolSettings = { filter: "bicubic", prompts: "paper", beams: 5, answerBeams: 1 };

/** Begin and end included; longer captions are cut. arXiv 2307.08041's evaluation of retrieval. */
export const TEXT_TOKENS = 35;
export const CAPTION_PREFIX = "A photo of";
export const QUESTION_PROMPT = "Question: {} Short answer.";
/** Longest replies, tokens: those of BLIP-2's evaluation, which SEED follows. */
export const [CAPTION_TOKENS, ANSWER_TOKENS] = [30, 10];
/** Beams divide the log probability of a caption by its length to this power. */
export const CAPTION_LENGTH_PENALTY = 1;
/** BLIP-2's value for answers: short ones are favored. */
export const ANSWER_LENGTH_PENALTY = -1;

export function questionPrompt(question: string): string {
  return QUESTION_PROMPT.replace("{}", () => question);
}

/** All that a score depends on besides weights and data, as the card has it. A model that reads fewer tokens has `textTokens`. */
export function settingsCard(
  settings: ProtocolSettings,
  own: { readonly describe?: string; readonly textTokens?: number } = {},
): Record<string, unknown> {
  const { filter, prompts, beams, answerBeams } = settings;
  const caption = prompts === "own" ? (own.describe ?? "") : CAPTION_PREFIX;
  return {
    pictures: { resize: "squash", filter },
    retrieval: {
      captions: "cleaned as LAVIS' blip_caption",
      textTokens: own.textTokens ?? TEXT_TOKENS,
      query: "last",
      reranking: false,
    },
    captions: {
      prompts,
      prompt: caption,
      beams,
      lengthPenalty: CAPTION_LENGTH_PENALTY,
      maxTokens: CAPTION_TOKENS,
      sampling: false,
    },
    questions: {
      prompts,
      prompt: prompts === "own" ? "{}" : QUESTION_PROMPT,
      beams: answerBeams,
      ...(answerBeams > 1 ? { lengthPenalty: ANSWER_LENGTH_PENALTY } : {}),
      maxTokens: ANSWER_TOKENS,
      sampling: false,
    },
    tokenization: "Penn Treebank, as CoreNLP 3.4.1",
    intervals: "95 % bootstrap over pictures or questions, 2,000 resamples",
  };
}
