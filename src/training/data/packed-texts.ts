/** Many short texts as sequences of one length without padding: one after the other, each with its end, then cut. */
import { UsageError } from "../../base/errors.ts";
import { permutation, Rng } from "../../base/rng.ts";
import type { EncodedChat } from "../../text/index.ts";
import type { Sequences } from "../language/lm-stage.ts";

export interface PackOptions {
  readonly identity: string;
  /** Token after each text. */
  readonly end: number;
  /** Tokens of a sequence; the labels are the same tokens, shifted by one. */
  readonly length: number;
}

/** All tokens are learned. The order of the texts changes each epoch. */
export function packedTexts(
  texts: readonly (readonly number[])[],
  { identity, end, length }: PackOptions,
): Sequences & { readonly perEpoch: number } {
  const total = texts.reduce((sum, text) => sum + text.length + 1, 0);
  const perEpoch = Math.floor(total / length);
  if (perEpoch === 0) throw new UsageError(`packedTexts: expected at least ${length} tokens, got ${total}.`);
  const learned = Array<boolean>(length).fill(true);
  let packed: { epoch: number; ids: Int32Array } | undefined;
  return {
    identity,
    perEpoch,
    get(index: number): EncodedChat {
      const epoch = Math.floor(index / perEpoch);
      if (packed?.epoch !== epoch) packed = { epoch, ids: pack(texts, total, end, epoch) };
      const at = (index % perEpoch) * length;
      return { ids: [...packed.ids.subarray(at, at + length)], learned };
    },
  };
}

function pack(texts: readonly (readonly number[])[], total: number, end: number, epoch: number): Int32Array {
  const rng = new Rng(epoch + 1);
  const order = permutation(texts.length, rng);
  const ids = new Int32Array(total);
  let at = 0;
  for (const i of order) {
    const text = texts[i] ?? [];
    ids.set(text, at);
    at += text.length;
    ids[at++] = end;
  }
  return ids;
}
