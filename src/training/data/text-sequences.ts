/** What a language model learns from and is measured by: packed texts, or one text a sequence, after a list of its words. */
import { InputError } from "../../base/errors.ts";
import { given } from "../../base/item.ts";
import { Trigram } from "../../evaluation/metrics/trigram.ts";
import { hashOf } from "../../io/hash.ts";
import type { LmTokenizer } from "../../text/index.ts";
import type { Sequences } from "../language/lm-stage.ts";
import { Breath } from "../loop/breath.ts";
import type { Work } from "../loop/loop.ts";
import { packedTexts } from "./packed-texts.ts";
import { type EncodedText, wholeTexts } from "./whole-texts.ts";

/** A text, and the list of words that precedes it; "" where there is none. */
export interface LanguageText {
  readonly given: string;
  readonly text: string;
}

/** Texts to learn from and texts to be measured by. */
export interface LanguageTexts {
  readonly train: readonly LanguageText[];
  readonly heldOut: readonly LanguageText[];
}

export interface LmSequences {
  readonly train: Sequences;
  readonly validation: Sequences & { readonly count: number };
  readonly beside: Readonly<Record<string, Sequences>>;
  /** Numbers that are known before training. */
  readonly baseline: Readonly<Record<string, number>>;
}

interface SequencesOptions extends Work {
  /** Tokens of a sequence. */
  readonly length: number;
  readonly seed: number;
  /** Held-out sequences that are measured, at most. */
  readonly validation: number;
  readonly readLists: boolean;
  /** The recipe's file, for messages. */
  readonly where: string;
}

/** Packed texts, and what a trigram model reaches on them; with `readLists` one text a sequence, and wrong lists next to them. */
export async function sequencesOf(
  texts: LanguageTexts,
  tokenizer: LmTokenizer,
  options: SequencesOptions,
): Promise<LmSequences> {
  const { length, seed, validation, readLists, where } = options;
  const identity = hashOf(JSON.stringify(texts.train));
  const end = given(tokenizer.eos, "an end of text");
  const learned = await encoded(texts.train, tokenizer, options);
  const heldOut = await encoded(texts.heldOut, tokenizer, options);
  if (readLists) {
    const listed = heldOut.filter(({ given }) => given.length > 0);
    const plain = heldOut.filter(({ given }) => given.length === 0);
    if (listed.length === 0)
      throw new InputError(
        `${where}: texts.readLists: expected held-out scenes after lists, found none. Raise texts.listed or texts.scenes.`,
      );
    const common = { end, seed, identity: "held out" };
    return {
      train: wholeTexts(learned, { ...common, identity }),
      validation: { ...wholeTexts(listed, common), count: listed.length },
      beside: {
        ...(listed.length > 1 && { wrongList: wholeTexts(listed, { ...common, wrongGiven: true }) }),
        ...(plain.length > 0 && { text: wholeTexts(plain, common) }),
      },
      baseline: { texts: learned.length },
    };
  }
  const whole = (all: readonly EncodedText[]): number[][] => all.map(({ given, said }) => [...given, ...said]);
  const train = packedTexts(whole(learned), { identity, end, length });
  const held = packedTexts(whole(heldOut), { identity: "held out", end, length });
  const count = Math.min(validation, held.perEpoch);
  const measured = Array.from({ length: count }, (_, i) => (held.get(i) as { ids: number[] }).ids);
  return {
    train,
    validation: { ...held, count },
    beside: {},
    baseline: {
      texts: learned.length,
      tokens: train.perEpoch * length,
      ...trigramBaseline(whole(learned), measured, tokenizer.size, end),
    },
  };
}

async function encoded(
  texts: readonly LanguageText[],
  tokenizer: LmTokenizer,
  { signal, onProgress }: Work,
): Promise<EncodedText[]> {
  const breath = new Breath(signal);
  const all: EncodedText[] = [];
  for (const { given, text } of texts) {
    all.push({ given: tokenizer.encode(given), said: tokenizer.encode(text) });
    if (all.length % 64 > 0) continue;
    await breath.take();
    onProgress?.("tokenizing", all.length, texts.length, "texts");
  }
  return all;
}

/** What counting alone reaches on the held-out texts. */
function trigramBaseline(
  texts: readonly (readonly number[])[],
  heldOut: readonly (readonly number[])[],
  size: number,
  end: number,
): Record<string, number> {
  const model = new Trigram(size);
  for (const text of texts) model.learn([...text, end]);
  const nats = model.nats(heldOut);
  return { trigramNats: nats, trigramPerplexity: Math.exp(nats) };
}
