import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClipPrompts, clipTokenizer } from "./clip-prompt.ts";

const tokens = ["!", "a", "c", "t", "'", "s", "a</w>", "c</w>", "t</w>", "s</w>", "!</w>", "ca", "cat</w>", "'s</w>"];
const vocab = Object.fromEntries([...tokens, "<|startoftext|>", "<|endoftext|>"].map((token, id) => [token, id]));
const merges = "#version: 0.2\nc a\nca t</w>\n' s</w>\n";
const [begin, end] = [14, 15];
const sizes = { vocabulary: 16, length: 7, fill: "end" } as const;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-prompt-"));
});
afterAll(() => rm(root, { recursive: true }));

describe("a folder with vocab.json and merges.txt", () => {
  beforeAll(async () => {
    await writeFile(join(root, "vocab.json"), JSON.stringify(vocab));
    await writeFile(join(root, "merges.txt"), merges);
  });
  const ids = async (prompt: string): Promise<number[]> => [...(await ClipPrompts.open(root, sizes)).encode(prompt)];

  test("merges pairs, marks ends of words, folds case and spaces", async () => {
    expect(await ids("A  CAT's")).toEqual([begin, 6, 12, 13, end, end, end]);
    expect(await ids("cac!")).toEqual([begin, 11, 7, 10, end, end, end]);
  });

  test("fills and cuts to the length of the encoder", async () => {
    expect(await ids("")).toEqual([begin, end, end, end, end, end, end]);
    expect(await ids("a a a a a a a a")).toEqual([begin, 6, 6, 6, 6, 6, end]);
  });

  test("the file of special tokens says what fills up", async () => {
    await writeFile(join(root, "special_tokens_map.json"), JSON.stringify({ pad_token: "!" }));
    await writeFile(join(root, "tokenizer_config.json"), JSON.stringify({ pad_token: { content: "<|endoftext|>" } }));
    expect(await ids("a")).toEqual([begin, 6, end, 0, 0, 0, 0]);
  });

  test("tokenizer.json goes first", async () => {
    await writeFile(join(root, "tokenizer.json"), JSON.stringify(clipTokenizer(vocab, "")));
    expect(await ids("cat")).toEqual([begin, 2, 1, 8, end, 0, 0]);
    await rm(join(root, "tokenizer.json"));
  });

  test("of another vocabulary is refused", async () => {
    await expect(ClipPrompts.open(root, { ...sizes, vocabulary: 20 })).rejects.toThrow(
      "expected the 20 tokens of the text encoder, got 16. Do the files belong together?",
    );
  });

  test("that is damaged is refused in one line", async () => {
    await writeFile(join(root, "vocab.json"), JSON.stringify(["a"]));
    await expect(ClipPrompts.open(root, sizes)).rejects.toThrow(/^.*vocab\.json: .*expected record, received array\.$/);
  });
});

test("without files the empty prompt is known, and no other", async () => {
  const open = (fill: "end" | "zero") => ClipPrompts.open(join(root, "none"), { ...sizes, length: 4, fill });
  expect([...(await open("end")).encode(" ")]).toEqual([begin, end, end, end]);
  expect([...(await open("zero")).encode("")]).toEqual([begin, end, 0, 0]);
  const prompts = await open("zero");
  expect(() => prompts.encode("a cat")).toThrow("prompt: expected tokenizer/vocab.json and merges.txt, found none.");
});
