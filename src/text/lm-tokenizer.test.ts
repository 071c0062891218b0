import { describe, expect, it } from "vitest";
import { plainTokenizer, TINY_TOKENIZER_CODES, tinyTokenizer, tinyTokenizerJson } from "../../test/tiny-lm.ts";
import { CHATML, encodeChat, SEED_CHAT } from "./chat.ts";
import { codeOf, imageIds, splitReply, withImageTokens } from "./image-tokens.ts";
import { LmTokenizer, TextStream } from "./lm-tokenizer.ts";

const tokenizer = tinyTokenizer();
const { image } = tokenizer;
const codes = Array.from({ length: 32 }, (_, i) => i);
const imageText = `<img>${codes.map((c) => `<img_${String(c).padStart(5, "0")}>`).join("")}</img>`;

describe("tokens of pictures", () => {
  it("follow the vocabulary, codes first", () => {
    const first = plainTokenizer().size;
    expect(image).toEqual({ first, codes: TINY_TOKENIZER_CODES, start: first + 40, end: first + 41 });
    expect(tokenizer.size).toBe(first + 42);
    expect(tokenizer.id("<img_00007>")).toBe(first + 7);
    expect(codeOf(first + 7, image)).toBe(7);
    expect(codeOf(first + 40, image)).toBeUndefined();
  });

  it("are read from text only when asked to", () => {
    expect(tokenizer.encodeWithTokens(imageText)).toEqual(imageIds(codes, image));
    const plain = tokenizer.encode("<img>");
    expect(plain).toEqual(["<", "i", "m", "g", ">"].map((letter) => tokenizer.id(letter)));
    expect(tokenizer.encode("</s>")).not.toContain(tokenizer.eos);
  });

  it("swallow the white space next to them (R16)", () => {
    const ids = imageIds(codes, image);
    expect(tokenizer.encodeWithTokens(`a \n${imageText}  b`)).toEqual([tokenizer.id("a"), ...ids, tokenizer.id("b")]);
    expect(tokenizer.encodeWithTokens("a </s> b").length).toBe(5); // other special tokens leave it
  });

  it("are not words", () => {
    expect(
      tokenizer.decode([...tokenizer.encode("a"), ...imageIds(codes, image), 1, ...tokenizer.encode(" cat")]),
    ).toBe("a cat");
    expect(tokenizer.decode([])).toBe("");
  });

  it("must all be there, in order", () => {
    const firstId = plainTokenizer().size;
    const json = withImageTokens(tinyTokenizerJson(), { codes: 3, firstId });
    const added = json["added_tokens"] as { content: string; id: number }[];
    const without = (content: string): unknown => ({
      ...json,
      added_tokens: added.filter((t) => t.content !== content),
    });
    expect(() => new LmTokenizer(without("</img>") as Record<string, unknown>)).toThrow(
      "tokenizer.json: expected <img>, </img> and <img_00000> besides the codes. Copy it again.",
    );
    expect(() => new LmTokenizer(without("<img_00001>") as Record<string, unknown>)).toThrow(
      `tokenizer.json: expected "<img_00001>" as id ${firstId + 1}, got undefined. Copy it again.`,
    );
    expect(() => withImageTokens(json, { codes: 3, firstId: 200 })).toThrow("expected no image tokens yet");
    expect(() => plainTokenizer().expectImageTokens()).toThrow("Use a model that was trained on images.");
    expect(() => imageIds([40], image)).toThrow("codes: expected 0..39, got 40.");
  });

  it("that form no picture are told apart", () => {
    const [a] = tokenizer.encode("a") as [number];
    const ids = imageIds(codes, image);
    expect(splitReply([a, ...ids, a, a, ...ids.slice(0, 9), image.end, a], image)).toEqual([
      { kind: "text", ids: [a] },
      { kind: "image", codes },
      { kind: "text", ids: [a, a] },
      { kind: "broken", ids: [...ids.slice(0, 9), image.end] },
      { kind: "text", ids: [a] },
    ]);
  });
});

describe("tokenizer files", () => {
  it("name begin and end of text", () => expect([tokenizer.bos, tokenizer.eos]).toEqual([0, 1]));
  it.each([
    [{}, "tokenizer.json: expected a model with a vocabulary, found none. Copy it again."],
    [{ ...tinyTokenizerJson(), added_tokens: [{ id: "1" }] }, "expected added_tokens with id and content"],
    [{ ...tinyTokenizerJson(), pre_tokenizer: { type: "Nonsense" } }, "expected a tokenizer that can be read"],
  ])("that are damaged are refused (%#)", (json, message) => expect(() => new LmTokenizer(json)).toThrow(message));

  const added = [0, 1, 2, 3].map((id) => [id, { content: ["<s>", "</s>", "<|im_start|>", "<|im_end|>"][id] }]);
  it.each<[object, string]>([
    [{ eos_token: "<end>" }, 'expected the token "<end>", found none.'],
    [
      { add_prefix_space: true },
      "tokenizer_config.json: expected add_prefix_space false, as in tokenizer.json, got true.",
    ],
    [{ do_lower_case: true }, 'tokenizer_config.json: expected known settings, got "do_lower_case" = true.'],
    [
      { added_tokens_decoder: Object.fromEntries([...added, [9, { content: "<x>" }]]) },
      'expected "no added token" as token "9", as in tokenizer.json, got "<x>".',
    ],
    [{ added_tokens_decoder: { 1: { content: "</t>" } } }, 'expected "</s>" as token "1", as in tokenizer.json'],
  ])("with the settings %j are refused", (config, message) =>
    expect(() => new LmTokenizer(tinyTokenizerJson(), config as Record<string, unknown>)).toThrow(message),
  );

  it("may have settings that make the same ids", () => {
    const config = {
      ...{ add_prefix_space: false, do_lower_case: false, eos_token: null, clean_up_tokenization_spaces: true },
      ...{ added_tokens_decoder: Object.fromEntries(added), model_max_length: 1e30, chat_template: "{{x}}" },
    };
    expect(new LmTokenizer(tinyTokenizerJson(), config).encode("cat")).toEqual(tokenizer.encode("cat"));
  });
  it("name a token that is missing", () => {
    expect(() => tokenizer.id("<pad>")).toThrow('tokenizer.json: expected the token "<pad>", found none.');
  });
});

describe("text that streams", () => {
  it("adds up to the whole, whatever the letters", () => {
    for (const text of ["a cat", "éé a\ncat", "caté"]) {
      const stream = new TextStream(tokenizer);
      const pieces = tokenizer.encode(text).map((id) => stream.push(id));
      expect(pieces.join("") + stream.end()).toBe(text);
      expect(pieces.join("")).not.toContain("\uFFFD");
    }
  });
  it("ends with what was never finished", () => {
    const stream = new TextStream(tokenizer);
    expect([stream.push(tokenizer.id("a")), stream.push(tokenizer.id("Ã")), stream.end()]).toEqual(["a", "", "\uFFFD"]);
  });
});

describe("chat templates", () => {
  const turns = [
    { role: "user", parts: [{ codes }, "  is it a cat?"] },
    { role: "assistant", parts: ["a cat."] },
    { role: "user", parts: ["draw it"] },
    { role: "assistant", parts: ["here", { codes }] },
  ] as const;
  const spell = (text: string): number[] => tokenizer.encodeWithTokens(text);

  it("SEED-LLaMA: the whole string, with answers and the last token learned", () => {
    const { ids, learned } = encodeChat(tokenizer, SEED_CHAT, turns, { reply: false });
    const parts = [
      [`<s>USER: ${imageText} is it a cat?\nASSISTANT:`, false],
      ["a cat.", true],
      ["\nUSER: draw it\nASSISTANT:", false],
      [`here${imageText}</s>`, true],
    ] as const;
    expect(ids).toEqual(parts.flatMap(([text]) => spell(text)));
    expect(learned).toEqual(parts.flatMap(([text, flag]) => spell(text).map(() => flag)));
  });

  it("SEED-LLaMA: a prompt ends where the model is to speak", () => {
    const { ids, learned } = encodeChat(tokenizer, SEED_CHAT, turns.slice(0, 1));
    expect(ids).toEqual(spell(`<s>USER: ${imageText} is it a cat?\nASSISTANT:`));
    expect(learned).not.toContain(true);
  });

  it("ChatML: roles between their tokens; the end of an answer is learned, the line end after it not", () => {
    const system = { role: "system", parts: ["be nice"] } as const;
    const { ids, learned } = encodeChat(tokenizer, CHATML, [system, ...turns.slice(0, 2)], { reply: false });
    const parts = [
      [`<|im_start|>system\nbe nice<|im_end|>\n<|im_start|>user\n${imageText}is it a cat?<|im_end|>\n`, false],
      ["<|im_start|>assistant\n", false],
      ["a cat.<|im_end|>", true],
      ["\n", false],
    ] as const;
    expect(ids).toEqual(parts.flatMap(([text]) => spell(text)));
    expect(learned).toEqual(parts.flatMap(([text, flag]) => spell(text).map(() => flag)));
    expect(encodeChat(tokenizer, CHATML, turns.slice(2, 3)).ids).toEqual(
      spell("<|im_start|>user\ndraw it<|im_end|>\n<|im_start|>assistant\n"),
    );
  });

  it.each([
    ["SEED-LLaMA", SEED_CHAT],
    ["ChatML", CHATML],
  ])("%s: what is learned follows the prompt that is used to ask for it", (_, template) => {
    for (const answer of ["a cat.", { codes }]) {
      const asked = { role: "user", parts: [{ codes }, "draw it"] } as const;
      const prompt = encodeChat(tokenizer, template, [asked]).ids;
      const { ids, learned } = encodeChat(tokenizer, template, [asked, { role: "assistant", parts: [answer] }], {
        reply: false,
      });
      expect(ids.slice(0, prompt.length)).toEqual(prompt);
      expect(learned.indexOf(true)).toBe(prompt.length);
    }
  });

  it("what a person writes never becomes a token", () => {
    const user = { role: "user", parts: ["<img></s><|im_end|>"] } as const;
    const { ids } = encodeChat(tokenizer, CHATML, [user]);
    expect(ids.filter((id) => id === image.start || id === tokenizer.eos)).toEqual([]);
    expect(ids.filter((id) => id === tokenizer.id("<|im_end|>")).length).toBe(1);
  });

  it("refuse turns that make no conversation", () => {
    const refuse = (roles: ("system" | "user" | "assistant")[], message: string, template = CHATML): void => {
      const list = roles.map((role) => ({ role, parts: ["a"] }));
      expect(() => encodeChat(tokenizer, template, list)).toThrow(message);
    };
    refuse(["assistant"], "chat: expected user and assistant in turn, got assistant as turn 1.");
    refuse(["user", "user"], "chat: expected user and assistant in turn, got user as turn 2.");
    refuse(["user", "assistant"], "chat: expected a last turn of user, got assistant.");
    refuse([], "chat: expected a last turn of user, got no turns.");
    refuse(["system", "user"], "chat: expected user and assistant, got a system message. Leave it out.", SEED_CHAT);
  });
});
