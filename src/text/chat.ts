/**
 * Conversations as ids, with a mark at each id that a model learns: its replies, and the token that ends them. The pieces
 * between special tokens and images are tokenized one by one, so that a user's text never becomes a special token.
 */

import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import type { Codes } from "../codes/index.ts";
import { imageIds } from "./image-tokens.ts";
import type { LmTokenizer } from "./lm-tokenizer.ts";

export interface ChatTurn {
  readonly role: "system" | "user" | "assistant";
  /** Text, and images as their codes. */
  readonly parts: readonly (string | { readonly codes: Codes })[];
}

export interface EncodedChat {
  readonly ids: number[];
  /** As long as `ids`. */
  readonly learned: boolean[];
}

export type Piece = { readonly learned?: boolean } & (
  | { readonly text: string }
  /** Text of a special token. */
  | { readonly token: string }
  | { readonly codes: Codes }
);

export interface ChatTemplate {
  /** Pieces of the whole conversation; with `reply` it ends where the reply begins. */
  readonly pieces: (turns: readonly ChatTurn[], reply: boolean) => Piece[];
  /** The token that ends a reply. */
  readonly stop: string;
  /** Texts that end one too: the beginning of the user's turn, if the token comes only at the very end. */
  readonly stopTexts: readonly string[];
}

const content = (turn: ChatTurn, learned = false): Piece[] =>
  turn.parts.map((part) => (typeof part === "string" ? { text: part, learned } : { codes: part.codes, learned }));

/** `USER: question\nASSISTANT:answer`, turns separated by a line end, `</s>` at the very end only (docs/published-system.md). */
export const SEED_CHAT: ChatTemplate = {
  stop: "</s>",
  // After an image the line end is dropped (published system: spaces at image tokens).
  stopTexts: ["\nUSER:", "USER:"],
  pieces: (turns, reply) => {
    const pieces: Piece[] = [{ token: "<s>" }];
    for (const [i, turn] of turns.entries()) {
      if (turn.role === "system")
        throw new UsageError("chat: expected user and assistant, got a system message. Leave it out.");
      if (turn.role === "assistant") pieces.push(...content(turn, true));
      else pieces.push({ text: `${i > 0 ? "\n" : ""}USER: ` }, ...content(turn), { text: "\nASSISTANT:" });
    }
    if (!reply) pieces.push({ token: "</s>", learned: true });
    return pieces;
  },
};

/** `<|im_start|>role\ncontent<|im_end|>\n` for each turn. */
export const CHATML: ChatTemplate = {
  stop: "<|im_end|>",
  stopTexts: [],
  pieces: (turns, reply) => {
    const pieces = turns.flatMap((turn): Piece[] => {
      const learned = turn.role === "assistant";
      return [
        { token: "<|im_start|>" },
        { text: `${turn.role}\n` },
        ...content(turn, learned),
        { token: "<|im_end|>", learned },
        { text: "\n" },
      ];
    });
    if (reply) pieces.push({ token: "<|im_start|>" }, { text: "assistant\n" });
    return pieces;
  },
};

/**
 * A conversation as ids. White space next to an image is dropped, as it is when the whole is tokenized as one string (published
 * system: spaces at image tokens), but not before a reply that begins with one: the prompt must not depend on the reply.
 * With `reply` (default) the last turn is the user's, and the ids end where the reply begins.
 * @throws UsageError if the turns do not alternate; InputError if the tokenizer lacks a token of the template or of images
 */
export function encodeChat(
  tokenizer: LmTokenizer,
  template: ChatTemplate,
  turns: readonly ChatTurn[],
  { reply = true }: { readonly reply?: boolean } = {},
): EncodedChat {
  expectAlternation(turns, reply);
  return encodePieces(tokenizer, template.pieces(turns, reply));
}

function expectAlternation(turns: readonly ChatTurn[], reply: boolean): void {
  const spoken = turns.filter(({ role }, i) => !(role === "system" && i === 0));
  const wrong = spoken.findIndex(({ role }, i) => role !== (i % 2 === 0 ? "user" : "assistant"));
  if (wrong >= 0)
    throw new UsageError(`chat: expected user and assistant in turn, got ${spoken[wrong]?.role} as turn ${wrong + 1}.`);
  const last = reply ? "user" : "assistant";
  if (spoken.at(-1)?.role !== last)
    throw new UsageError(`chat: expected a last turn of ${last}, got ${spoken.at(-1)?.role ?? "no turns"}.`);
}

/** Ids of pieces; adjacent texts with the same mark are tokenized as one. */
export function encodePieces(tokenizer: LmTokenizer, pieces: readonly Piece[]): EncodedChat {
  const out: EncodedChat = { ids: [], learned: [] };
  const add = (ids: readonly number[], learned: boolean): void => {
    for (const id of ids) {
      out.ids.push(id);
      out.learned.push(learned);
    }
  };
  let afterPicture = false;
  for (let i = 0; i < pieces.length; i++) {
    const piece = item(pieces, i);
    const learned = piece.learned ?? false;
    if ("codes" in piece) add(imageIds(piece.codes, tokenizer.expectImageTokens()), learned);
    else if ("token" in piece) add([tokenizer.id(piece.token)], learned);
    else {
      let text = piece.text;
      for (
        let next = pieces[i + 1];
        next && "text" in next && (next.learned ?? false) === learned;
        next = pieces[++i + 1]
      )
        text += next.text;
      if (afterPicture) text = text.trimStart();
      const next = pieces[i + 1];
      // The line end before a reply is there before it is known that the reply begins with an image.
      if (next && "codes" in next && (next.learned ?? false) === learned) text = text.trimEnd();
      add(tokenizer.encode(text), learned);
      if (text === "") continue; // an image before it still counts
    }
    afterPicture = "codes" in piece;
  }
  return out;
}
