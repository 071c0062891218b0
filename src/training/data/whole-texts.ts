/** Every text as a sequence of its own, in another order each epoch; what is given is context and not learned. */
import type { EncodedChat } from "../../text/index.ts";
import type { Sequences } from "../language/lm-stage.ts";
import { Shuffle } from "../loop/shuffle.ts";

export interface EncodedText {
  readonly given: readonly number[];
  readonly said: readonly number[];
}

export interface WholeTextsOptions {
  readonly identity: string;
  /** Token after each text. */
  readonly end: number;
  readonly seed: number;
  /** What is given comes from the next text: a model that reads is worse at these. Default false. */
  readonly wrongGiven?: boolean;
}

export function wholeTexts(
  texts: readonly EncodedText[],
  { identity, end, seed, wrongGiven = false }: WholeTextsOptions,
): Sequences {
  const order = new Shuffle(texts.length, seed);
  return {
    identity,
    get(index): EncodedChat {
      const at = order.at(index);
      const { said = [] } = texts[at] ?? {};
      const { given = [] } = texts[wrongGiven ? (at + 1) % texts.length : at] ?? {};
      const ids = [...given, ...said, end];
      return { ids, learned: ids.map((_, i) => i >= given.length) };
    },
  };
}
