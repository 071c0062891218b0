/**
 * Conversations as ids, with a mark at each id that a model learns to say: its answers, and the token that ends them.
 * Pieces between special tokens and pictures are read one by one, so what a person writes can never become a token.
 */

import { UsageError } from "../base/errors.ts";
import type { Codes } from "../codes/index.ts";
import { imageIds } from "./image-tokens.ts";
import type { LmTokenizer } from "./lm-tokenizer.ts";

export interface ChatTurn {
  readonly role: "system" | "user" | "assistant";
  /** Text, and pictures as their codes. */
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
  /** Pieces of the whole conversation; with `reply` it ends where the model is to speak. */
  readonly pieces: (turns: readonly ChatTurn[], reply: boolean) => Piece[];
  /** The token that ends a reply. */
  readonly stop: string;
  /** Words that end one too: the beginning of the other's turn, where the token stands only at the very end. */
  readonly stopTexts: readonly string[];
}

const content = (turn: ChatTurn, learned = false): Piece[] =>
  turn.parts.map((part) => (typeof part === "string" ? { text: part, learned } : { codes: part.codes, learned }));

/** `USER: question\nASSISTANT:answer`, turns apart by a line end, `</s>` at the very end only. Seed-facts section 11. */
export const SEED_CHAT: ChatTemplate = {
  stop: "</s>",
  // After a picture the line end is gone (published system: spaces at picture tokens).
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
 * A conversation as ids. White space next to a picture disappears, as it does when the whole is read as one string
 * (published system: spaces at picture tokens), but not before a reply that begins with one: what a model answers to must not depend on its answer. With `reply` (default) the last turn is a person's, and the ids end where the model is to speak.
 * @throws UsageError if the turns do not alternate; InputError if the tokenizer lacks a token of the template or of pictures
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
    throw new UsageError(`chat: expected user and assistant in turn, got ${spoken[wrong]!.role} as turn ${wrong + 1}.`);
  const last = reply ? "user" : "assistant";
  if (spoken.at(-1)?.role !== last)
    throw new UsageError(`chat: expected a last turn of ${last}, got ${spoken.at(-1)?.role ?? "no turns"}.`);
}

/** Ids of pieces; texts that follow one another with the same mark are read as one. */
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
    const piece = pieces[i]!;
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
      // The line end before a reply stands there before it is known that the reply begins with a picture.
      if (next && "codes" in next && (next.learned ?? false) === learned) text = text.trimEnd();
      add(tokenizer.encode(text), learned);
      if (text === "") continue; // a picture before it still counts
    }
    afterPicture = "codes" in piece;
  }
  return out;
}
