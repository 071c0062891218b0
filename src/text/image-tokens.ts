/**
 * Image tokens: `<img_00000>`, `<img_00001>` .. for the codes, `<img>` and `</img>` around each image, as SEED-LLaMA adds them
 * to its vocabulary (docs/published-system.md).
 */

import { InputError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { quote } from "../base/one-line.ts";
import { CODES_PER_IMAGE, type Codes } from "../codes/index.ts";

/** Ids of the image tokens. */
export interface ImageTokens {
  /** `<img>`. */
  readonly start: number;
  /** `</img>`. */
  readonly end: number;
  /** Code 0; code c is `first + c`. */
  readonly first: number;
  /** Size of the codebook. */
  readonly codes: number;
}

export const IMAGE_START = "<img>";
export const IMAGE_END = "</img>";

const CODE_NAME = /^<img_(\d{5})>$/;

export function codeName(code: number): string {
  return `<img_${String(code).padStart(5, "0")}>`;
}

/** An entry of `added_tokens` in a tokenizer.json. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/**
 * A tokenizer.json with added tokens for `codes` codes, then `<img>` and `</img>`, with ids from `firstId` on. White space next
 * to them is dropped when text is read (published system: spaces at image tokens).
 * @throws InputError if it has image tokens already
 */
export function withImageTokens(
  json: Readonly<Record<string, unknown>>,
  { codes, firstId }: { readonly codes: number; readonly firstId: number },
): Record<string, unknown> {
  const old = (json["added_tokens"] ?? []) as readonly AddedToken[];
  if (findImageTokens(old, "tokenizer.json"))
    throw new InputError("tokenizer.json: expected no image tokens yet, got some. Use it as it is.");
  const names = [...Array.from({ length: codes }, (_, code) => codeName(code)), IMAGE_START, IMAGE_END];
  const added = names.map((content, i) => ({
    id: firstId + i,
    content,
    single_word: false,
    lstrip: true,
    rstrip: true,
    normalized: false,
    special: i >= codes,
  }));
  return { ...json, added_tokens: [...old, ...added] };
}

/**
 * The ids of the image tokens; undefined if there are none.
 * @throws InputError if some are missing, or the ids of the codes are not consecutive
 */
export function findImageTokens(added: readonly AddedToken[], where: string): ImageTokens | undefined {
  const ids = new Map(added.map(({ content, id }) => [content, id]));
  const codes = added.filter(({ content }) => CODE_NAME.test(content)).length;
  const [start, end, first] = [ids.get(IMAGE_START), ids.get(IMAGE_END), ids.get(codeName(0))];
  if (codes === 0) return undefined;
  if (start === undefined || end === undefined || first === undefined)
    throw new InputError(
      `${where}: expected ${IMAGE_START}, ${IMAGE_END} and ${codeName(0)} besides the codes. Copy it again.`,
    );
  for (let code = 0; code < codes; code++)
    if (ids.get(codeName(code)) !== first + code)
      throw new InputError(
        `${where}: expected ${quote(codeName(code))} as id ${first + code}, got ${ids.get(codeName(code))}. Copy it again.`,
      );
  return { start, end, first, codes };
}

/** The 34 ids of an image. @throws InputError for a code outside the codebook */
export function imageIds(codes: Codes, image: ImageTokens): number[] {
  const outside = codes.find((code) => !Number.isInteger(code) || code < 0 || code >= image.codes);
  if (outside !== undefined) throw new InputError(`codes: expected 0..${image.codes - 1}, got ${outside}.`);
  return [image.start, ...codes.map((code) => image.first + code), image.end];
}

/** The code of an id; undefined for other tokens. */
export function codeOf(id: number, image: ImageTokens): number | undefined {
  const code = id - image.first;
  return code >= 0 && code < image.codes ? code : undefined;
}

/** A part of a reply: text, a whole image, or image tokens that do not form one. */
export type ReplyPart =
  | { readonly kind: "text"; readonly ids: readonly number[] }
  | { readonly kind: "image"; readonly codes: Codes }
  | { readonly kind: "broken"; readonly ids: readonly number[] };

/** Splits ids into text and images; an image is `<img>`, 32 codes, `</img>` and nothing else. */
export function splitReply(ids: readonly number[], image: ImageTokens): ReplyPart[] {
  const parts: ReplyPart[] = [];
  const append = (kind: "text" | "broken", id: number): void => {
    const last = parts.at(-1);
    if (last?.kind === kind) parts[parts.length - 1] = { kind, ids: [...last.ids, id] };
    else parts.push({ kind, ids: [id] });
  };
  for (let i = 0; i < ids.length; i++) {
    const id = item(ids, i);
    const codes = ids.slice(i + 1, i + 1 + CODES_PER_IMAGE).map((next) => codeOf(next, image));
    const whole = codes.length === CODES_PER_IMAGE && codes.every((code) => code !== undefined);
    if (id === image.start && whole && ids[i + 1 + CODES_PER_IMAGE] === image.end) {
      parts.push({ kind: "image", codes: codes as number[] });
      i += CODES_PER_IMAGE + 1;
    } else if (id === image.start || id === image.end || codeOf(id, image) !== undefined) append("broken", id);
    else append("text", id);
  }
  return parts;
}
