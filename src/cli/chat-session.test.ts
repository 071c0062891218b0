import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { SeedLanguageModel } from "../language/index.ts";
import { parseChatLine } from "./chat-line.ts";
import { ChatSession, type ShownReply } from "./chat-session.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "chat-"));
});
afterAll(() => rm(root, { recursive: true }));

const codes = Array.from({ length: 32 }, (_, i) => i);
let asked: string[];
let notes: string[];
let replies: ShownReply[];
beforeEach(() => {
  [asked, notes, replies] = [[], [], []];
});

/** Answers "yes", and draws what it is asked to. */
const model = {
  manifest: { requests: { describe: "describe the picture.", draw: "draw {prompt}." } },
  request: (prompt: string) => `draw ${prompt}.`,
  draw: async (prompt: string, { seed }: { seed: number }) => {
    asked.push(`draw: ${prompt}`);
    return [{ codes, seed, png: async () => Uint8Array.of(1) }];
  },
  async *chat(turns: readonly unknown[]) {
    asked.push(`chat: ${JSON.stringify(turns.at(-1))}`);
    yield { kind: "text", text: "yes" };
    yield { kind: "end", turn: { role: "assistant", parts: ["yes"] } };
  },
  tokenizer: { prepare: async () => ({}), encode: async () => [{ codes: Int32Array.from(codes) }] },
} as unknown as SeedLanguageModel;

async function talk(...lines: string[]): Promise<void> {
  const screen = {
    say: async () => {},
    show: async () => {},
    done: async (reply: ShownReply) => void replies.push(reply),
    note: (line: string) => void notes.push(line),
  };
  const session = new ChatSession(model, { seed: 3, output: join(root, "pictures") }, screen);
  for (const line of lines)
    await session.take(parseChatLine(line, { exists: () => false }), new AbortController().signal);
}

test("a plain request to draw is recognized as /draw is, and said so", async () => {
  const transcript = join(root, "all.txt");
  await talk("what is this?", "Draw a red apple, please.", "/draw two cats", `/save ${transcript}`);
  expect(asked.map((line) => line.replace(/^chat.*/, "chat"))).toEqual(["chat", "draw: a red apple", "draw: two cats"]);
  expect(notes[0]).toBe('(drawing "a red apple", as /draw does)');
  expect(await readFile(transcript, "utf8")).toMatch(
    /^USER: what is this\?\nASSISTANT: yes\nUSER: Draw a red apple, please\.\nASSISTANT: \[picture .*picture-1\.png\]\nUSER: draw two cats\.\n/,
  );
});

test("what goes with a picture, or points at one, is for the model", async () => {
  await talk("examples/turtle.png draw a turtle", "draw it again");
  expect(asked).toHaveLength(2);
  expect(asked.every((line) => line.startsWith("chat: "))).toBe(true);
});

test("each reply is reported whole, with its pictures", async () => {
  await talk("hello", "/draw a cat");
  expect(replies).toEqual([
    { text: "yes", pictures: [] },
    { text: "", pictures: [{ file: expect.stringMatching(/picture-\d+\.png$/), seed: 4, codes }] },
  ]);
});
