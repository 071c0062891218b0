/**
 * Sequences with pictures as codes in them, for the three stages in which a language model learns to see and to draw:
 * `see` (picture, prefix, caption), `see-and-draw` (besides: prefix, caption, picture) and `instruct` (conversations).
 * Only what the model is to say is learned. arXiv 2307.08041 section 3.3.
 */

import { SeedlingError } from "../../base/errors.ts";
import { item } from "../../base/item.ts";
import { hashText, permutation, Rng } from "../../base/rng.ts";
import type { DescribedCodes } from "../../data/described-codes.ts";
import {
  type ChatTemplate,
  type ChatTurn,
  type EncodedChat,
  encodeChat,
  encodePieces,
  type LmTokenizer,
} from "../../text/index.ts";
import type { LmManifest } from "../../text/lm-manifest.ts";
import type { Sequences } from "../language/lm-stage.ts";
import { Shuffle } from "../loop/shuffle.ts";

export type PictureStage = "see" | "see-and-draw" | "instruct";

/** The usual requests; other phrases for the same are mixed in, so that more than one works. */
export const REQUESTS: LmManifest["requests"] = { describe: "describe the picture.", draw: "draw {prompt}." };
const OTHER = {
  describe: ["what do you see?", "what is shown here?", "describe this image.", "say what is in the picture."],
  draw: [
    "paint {prompt}.",
    "show me {prompt}.",
    "please draw {prompt}.",
    "make a picture of {prompt}.",
    "generate an image of {prompt}.",
    "draw me {prompt}.",
    "can you draw {prompt}?",
    "could you paint {prompt}?",
    "i would like a picture of {prompt}.",
    "i want to see {prompt}.",
  ],
} as const;
const USUAL_SHARE = 0.6;
const UNASKED_SHARE = 0.1;

export interface PictureTextsOptions {
  readonly stage: PictureStage;
  readonly rows: readonly DescribedCodes[];
  readonly identity: string;
  readonly tokenizer: LmTokenizer;
  readonly template: ChatTemplate;
  /** Leaves out the pictures themselves: a model that sees nothing. Default false. */
  readonly blind?: boolean;
  /** Vectors of the rows' pictures, if these are what the model sees; their codes are only placeholders. */
  readonly features?: Sequences["features"];
  /** Share of sequences in which the model draws; none in stage `see`. */
  readonly drawShare: number;
  /** Share of conversations about a picture that begin with the request to describe it. Default 0.5. */
  readonly describeShare?: number | undefined;
  /** Share of pictures in `see` and `see-and-draw` whose caption is followed by questions and answers. Default 0. */
  readonly questionShare?: number | undefined;
  readonly seed: number;
  /** Rows from which this share of the sequences about pictures is drawn; the rest goes through all rows in turn. */
  readonly oftener?: { readonly indices: readonly number[]; readonly share: number };
  /**
   * Every row has the codes of the next one: a model that looks is worse at these texts than at the right ones; one that
   * has only learned how captions sound is not. Default false.
   */
  readonly wrongPictures?: boolean;
  /** Plain texts among the sequences, so that the model keeps the language of its base, and their share. Default none. */
  readonly plain?: { readonly texts: readonly string[]; readonly share: number };
}

export function pictureTexts(options: PictureTextsOptions): Sequences {
  const { stage, identity, seed, plain, oftener, features, wrongPictures = false } = options;
  const rows = wrongPictures
    ? options.rows.map((row, i) => ({ ...row, codes: (options.rows[i + 1] ?? options.rows[0] ?? row).codes }))
    : options.rows;
  const order = new Shuffle(rows.length, seed);
  return {
    identity: `${stage} ${identity} ${options.drawShare}${plain ? ` ${hashText(plain.texts.join("\n"))}` : ""}`,
    features,
    get(index) {
      const rng = new Rng(hashText(`${seed}/${stage}/${index}`));
      if (plain && rng.next() < plain.share)
        return encodePieces(options.tokenizer, [{ text: rng.pick(plain.texts), learned: true }]);
      const chosen = oftener && rng.next() < oftener.share;
      const at = chosen ? rng.pick(oftener.indices) : order.at(index);
      const row = rows[at];
      if (!row) throw new SeedlingError(`pictureTexts: expected rows, got none at ${index}.`);
      const encoded = (): EncodedChat => {
        if (stage === "instruct") return conversation(row, rng.pick(rows), rng, options);
        return stage === "see-and-draw" && rng.next() < options.drawShare
          ? drawn(row, options)
          : seen(row, rng, options);
      };
      return features ? { ...encoded(), picture: wrongPictures ? (at + 1) % rows.length : at } : encoded();
    },
  };
}

/** `<s>` picture "a picture of" caption `</s>`, or `<s>` picture "a picture of" caption. question answer. ... `</s>` */
function seen(
  { codes, caption, questions }: DescribedCodes,
  rng: Rng,
  { tokenizer, template, blind, questionShare = 0 }: PictureTextsOptions,
): EncodedChat {
  const asked = questionShare > 0 && rng.next() < questionShare ? someOf(questions, rng) : [];
  return encodePieces(tokenizer, [
    ...begin(tokenizer),
    ...(blind ? [] : [{ codes }]),
    { text: "a picture of " },
    { text: asked.length > 0 ? `${caption}.` : caption, learned: true },
    ...asked.flatMap(({ question, answer }) => [{ text: ` ${question}` }, { text: ` ${answer}.`, learned: true }]),
    { token: template.stop, learned: true },
  ]);
}

/** Most questions on one picture. */
const MOST_QUESTIONS = 4;

function someOf<T>(list: readonly T[], rng: Rng): T[] {
  return [...permutation(list.length, rng)].slice(0, MOST_QUESTIONS).map((i) => item(list, i));
}

/** `<s>` "generate a picture of" caption picture `</s>` */
function drawn({ codes, caption }: DescribedCodes, { tokenizer, template }: PictureTextsOptions): EncodedChat {
  return encodePieces(tokenizer, [
    ...begin(tokenizer),
    { text: `generate a picture of ${caption}` },
    { codes, learned: true },
    { token: template.stop, learned: true },
  ]);
}

function begin(tokenizer: LmTokenizer): { token: string }[] {
  const { bos_token: token } = tokenizer.config as { bos_token?: string | { content: string } };
  if (token === undefined || tokenizer.bos === undefined) return [];
  return [{ token: typeof token === "string" ? token : token.content }];
}

/** Talk about one picture, a drawing, or a drawing and then talk about it or about another picture. */
function conversation(row: DescribedCodes, other: DescribedCodes, rng: Rng, options: PictureTextsOptions): EncodedChat {
  const { tokenizer, template, drawShare } = options;
  const turns: ChatTurn[] = [];
  const draws = rng.next() < drawShare;
  if (draws) turns.push(...request(row, rng));
  if (!draws || rng.next() < 0.25) {
    const same = draws && rng.next() < 0.5;
    turns.push(...talk(draws && !same ? other : row, rng, same || (options.blind ?? false), options.describeShare));
  }
  return encodeChat(tokenizer, template, turns, { reply: false });
}

function request({ codes, caption }: DescribedCodes, rng: Rng): ChatTurn[] {
  // A request for nothing, so that guidance over codes has something to move away from.
  const nothing = rng.next() < UNASKED_SHARE;
  const wish = (nothing ? REQUESTS.draw : phrase("draw", rng)).replace("{prompt}", () => (nothing ? "" : caption));
  return [
    { role: "user", parts: [wish] },
    { role: "assistant", parts: [{ codes }] },
  ];
}

/** Up to four questions; the picture precedes the first, unless it was drawn just before or is not shown. */
function talk(
  { codes, caption, questions }: DescribedCodes,
  rng: Rng,
  without: boolean,
  describeShare = 0.5,
): ChatTurn[] {
  const about: { question: string; answer: string }[] = [{ question: phrase("describe", rng), answer: caption }];
  const left = [...questions];
  const wanted = 1 + rng.int(MOST_QUESTIONS);
  if (left.length > 0 && rng.next() < 1 - describeShare) about.pop();
  while (about.length < wanted && left.length > 0) about.push(...left.splice(rng.int(left.length), 1));
  return about.flatMap(({ question, answer }, i): ChatTurn[] => [
    { role: "user", parts: i === 0 && !without ? [{ codes }, question] : [question] },
    { role: "assistant", parts: [answer] },
  ]);
}

function phrase(kind: keyof typeof REQUESTS, rng: Rng): string {
  return rng.next() < USUAL_SHARE ? REQUESTS[kind] : rng.pick<string>(OTHER[kind]);
}
