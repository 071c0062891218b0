/** The tokenizer of the published text side, which the checkpoints do not hold: that of bert-base-uncased. */
import { InputError } from "../../base/errors.ts";
import { reason } from "../../base/one-line.ts";
import { exists, kindOf } from "../../io/files.ts";
import { dirname, join } from "../../io/paths.ts";
import { WordPieceTokenizer } from "../../text/index.ts";
import { readJsonFile } from "../../weights/index.ts";

/** Largest tokenizer.json, bytes. */
const MAX_TOKENIZER = 64e6;

/**
 * The path of the tokenizer.json `named`, or of one next to the checkpoints `paths`; undefined if there is none. One of
 * another kind next to the checkpoints is passed over.
 * @throws InputError if the named one is of another kind, or has more tokens than the model has words
 */
export async function bertTokenizer(
  paths: readonly string[],
  vocabulary: number,
  named?: string,
): Promise<string | undefined> {
  if (named !== undefined) {
    await expectFits(named, vocabulary);
    return named;
  }
  for (const path of paths) {
    const candidate = join((await kindOf(path)) === "folder" ? path : dirname(path), "tokenizer.json");
    if (!(await exists(candidate))) continue;
    const fits = await expectFits(candidate, vocabulary).then(
      () => true,
      () => false,
    );
    if (fits) return candidate;
  }
  return undefined;
}

async function expectFits(path: string, vocabulary: number): Promise<void> {
  const json = await readJsonFile(path, MAX_TOKENIZER);
  let size: number;
  try {
    ({ size } = new WordPieceTokenizer(json as Record<string, unknown>));
  } catch (cause) {
    throw new InputError(`${path}: ${reason(cause)}. Name the tokenizer.json of bert-base-uncased.`, { cause });
  }
  if (size > vocabulary)
    throw new InputError(
      `${path}: expected at most ${vocabulary} tokens, as many as the model has words, got ${size}. Name the tokenizer.json of bert-base-uncased.`,
    );
}
