/** The text side of imported weights: BERT's tokenizer, the Q-Former's text branch, text_proj. */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cleanCaption, WordPieceTokenizer } from "../../text/index.ts";
import { openSafetensors } from "../../weights/index.ts";
import { SeedTokenizer } from "../seed-tokenizer.ts";
import { importOfficial } from "./index.ts";

const STAGE1 = "test/fixtures/tiny-a/stage1";
/** The special tokens of the recorded ids; the word with id n is "wn", or "##wn" inside a word. */
const SPECIALS = { "[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 4 };

/** The recorded captions begin with these odd ones. */
const begins = (id: number): boolean => id % 2 === 0 || [9, 19, 23].includes(id);

function bert(words: number, extra: object = {}): object {
  const vocab: Record<string, number> = { ...SPECIALS };
  for (let id = 3; id < words; id++) if (id !== 4) vocab[begins(id) ? `w${id}` : `##w${id}`] = id;
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: null,
    decoder: null,
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
    ...extra,
  };
}

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-text-"));
  await cp(STAGE1, join(root, "stage1"), { recursive: true });
  await writeFile(join(root, "bert.json"), JSON.stringify(bert(40)));
});
afterAll(() => rm(root, { recursive: true }));

/** A caption that has these ids. */
function caption(ids: readonly number[]): string {
  return ids
    .map((id) => (begins(id) ? ` w${id}` : `w${id}`))
    .join("")
    .trim();
}

test("captions give the official text features, by the tokenizer.json that was named", async () => {
  const io = await openSafetensors(join(STAGE1, "io.safetensors"));
  const ids = Array.from(await io.readFloat32("input.text_ids"));
  const expected = await io.readFloat32("text_feat");
  await io.close();
  const folder = join(root, "named");
  const report = await importOfficial([STAGE1], folder, { tokenizer: join(root, "bert.json") });
  expect(report).toMatchObject({ readsText: true, tokenizer: join(root, "bert.json") });
  const rows = [0, 1, 2, 3].map((b) => ids.slice(12 * b, 12 * (b + 1)).filter((id) => id > 2));
  const seed = await SeedTokenizer.fromPretrained(folder, { threads: 1 });
  expect([...seed.capabilities]).toEqual(["embed", "embedText"]);
  const got = await seed.embedText(rows.map(caption));
  for (const [b, feature] of got.entries())
    for (const [j, x] of feature.entries()) expect(Math.abs(x - expected[16 * b + j]!)).toBeLessThan(1e-5);
  const [cut, whole] = await seed.embedText(["w6 w8", "w6 w8 w10"], { maxTokens: 4 });
  expect(cut).toEqual(whole);
  await expect(seed.embedText(["w6"], { maxTokens: 17 })).rejects.toThrow(
    "maxTokens: expected a whole number from 2 to 16",
  );
  await expect(seed.encode([])).rejects.toThrow(`${folder}: encode needs a codebook (quantize.embedding.weight).`);
  await seed.close();
});

test("a tokenizer.json next to the checkpoint comes along; without one the error names what is missing", async () => {
  const [bare, beside, named] = [join(root, "bare"), join(root, "beside"), join(root, "opened")];
  expect((await importOfficial([join(root, "stage1")], bare)).tokenizer).toBeUndefined();
  const without = await SeedTokenizer.fromPretrained(bare, { threads: 1 });
  await expect(without.embedText(["w5"])).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining("tokenizer.json of bert-base-uncased in the folder or named as `tokenizer`."),
  });
  await without.close();
  const later = await SeedTokenizer.fromPretrained(bare, { tokenizer: join(root, "bert.json"), threads: 1 });
  const [expected] = await later.embedText(["w6 w8"]);
  await later.close();
  await writeFile(join(root, "stage1", "tokenizer.json"), JSON.stringify(bert(40)));
  expect((await importOfficial([join(root, "stage1")], beside)).tokenizer).toBe(join(root, "stage1", "tokenizer.json"));
  const seed = await SeedTokenizer.fromPretrained(beside, { threads: 1 });
  expect(await seed.embedText(["W6  w8."])).toEqual([expected]);
  await seed.close();
  await writeFile(join(root, "large.json"), JSON.stringify(bert(41)));
  await expect(importOfficial([STAGE1], named, { tokenizer: join(root, "large.json") })).rejects.toThrow(
    "expected at most 40 tokens, as many as the model has words, got 41.",
  );
  await writeFile(join(root, "words.json"), JSON.stringify(bert(40, { model: { type: "WordLevel", vocab: {} } })));
  await expect(importOfficial([STAGE1], named, { tokenizer: join(root, "words.json") })).rejects.toThrow(
    "expected a WordPiece model, as bert-base-uncased has, got WordLevel",
  );
});

test("captions are cleaned, split and padded as in the published training", () => {
  expect(cleanCaption('  A "Red" Cat.. on(the)  mat!\n')).toBe("a red cat on the mat");
  expect(cleanCaption(Array(60).fill("a").join(" ")).split(" ")).toHaveLength(50);
  const tokenizer = new WordPieceTokenizer(bert(40) as Record<string, unknown>);
  const { ids, mask, end } = tokenizer.encode(["W6w7 nothing w8", ""], 7);
  expect([...ids]).toEqual([1, 6, 7, 4, 8, 2, 0, 1, 2, 0, 0, 0, 0, 0]);
  expect([...mask]).toEqual([1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0]);
  expect([...end]).toEqual([5, 1]);
});
