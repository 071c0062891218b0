/** What a language model learns from texts and is measured by: packed one behind the other, or one by one behind lists. */
import { InputError } from "../../base/errors.ts";
import { Trigram } from "../../evaluation/metrics/trigram.ts";
import type { LmTokenizer } from "../../text/index.ts";
import type { Sequences } from "../language/lm-stage.ts";
import type { LmPretrainRecipe } from "../lm-recipe.ts";
import { hashOf } from "./feature-cache.ts";
import { packedTexts } from "./packed-texts.ts";
import { type EncodedText, wholeTexts } from "./whole-texts.ts";

/** A text, and the list of words that stands before it; "" where there is none. */
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
  /** What is known before anything is learned. */
  readonly baseline: Readonly<Record<string, number>>;
}

/** Texts one behind the other, beside what a trigram model reaches; or one by one behind lists, beside the wrong lists. */
export function sequencesOf(
  texts: LanguageTexts,
  tokenizer: LmTokenizer,
  { length, seed, validation, texts: { readLists } }: LmPretrainRecipe,
  where: string,
): LmSequences {
  const identity = hashOf(JSON.stringify(texts.train));
  const end = tokenizer.eos!;
  const encode = ({ given, text }: LanguageText): EncodedText => ({
    given: tokenizer.encode(given),
    said: tokenizer.encode(text),
  });
  const [learned, heldOut] = [texts.train.map(encode), texts.heldOut.map(encode)];
  if (readLists) {
    const listed = heldOut.filter(({ given }) => given.length > 0);
    const plain = heldOut.filter(({ given }) => given.length === 0);
    if (listed.length === 0)
      throw new InputError(
        `${where}: texts.readLists: expected held-out scenes behind lists, found none. Raise texts.listed or texts.scenes.`,
      );
    const common = { end, seed, identity: "held out" };
    return {
      train: wholeTexts(learned, { ...common, identity }),
      validation: { ...wholeTexts(listed, common), count: listed.length },
      beside: {
        ...(listed.length > 1 ? { wrongList: wholeTexts(listed, { ...common, wrongGiven: true }) } : {}),
        ...(plain.length > 0 ? { text: wholeTexts(plain, common) } : {}),
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
