import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blocks } from "../../test/e2e/blocks.ts";
import { TINY_CONTEXT, writeTinyLanguageModel } from "../../test/tiny-language-model.ts";
import { TINY_CODES, writeTinyModel } from "../../test/tiny-model.ts";
import { dot } from "../base/vectors.ts";
import { encodePng } from "../image/index.ts";
import { readPeftFolder, writePeftFolder } from "../weights/index.ts";
import { DESCRIBING_PENALTY } from "./describe.ts";
import { differentPixels, expectSameDecoder, readDrawingNote } from "./drawing-note.ts";
import { decoderHashes } from "./lm-folders.ts";
import type { ChatEvent, Turn } from "./options.ts";
import { SeedLanguageModel } from "./seed-language-model.ts";

let root: string;
let folder: string;
let model: SeedLanguageModel;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-lm-"));
  folder = join(root, "tiny");
  await writeTinyModel(folder);
  await writeTinyLanguageModel(folder);
  model = await SeedLanguageModel.fromPretrained(folder, { threads: 1 });
});

afterAll(async () => {
  await model.close();
  await rm(root, { recursive: true });
});

const picture = blocks(1);
const short = { maxTokens: 12 } as const;

describe("seeing", () => {
  test("a picture and its codes are described alike, whatever else is in the list", async () => {
    const [{ codes }] = (await model.tokenizer.encode([picture])) as [{ codes: Int32Array }];
    const [a, b, c] = await model.describe([picture, blocks(2), { codes }], short);
    expect(a!.length).toBeGreaterThan(3);
    expect(b).not.toBe(a);
    expect(c).toBe(a);
    expect(await model.describe([], short)).toEqual([]);
  });

  test("what was said is said again less readily in a description, and not so in an answer", async () => {
    const long = { maxTokens: 24, bestOf: 1 } as const;
    const question = model.manifest.requests.describe;
    const [said] = await model.describe([picture], long);
    expect(said).toBe(await model.ask(picture, question, { ...long, repetitionPenalty: DESCRIBING_PENALTY }));
    expect(said).not.toBe(await model.ask(picture, question, long));
    expect(await model.describe([picture], { ...long, repetitionPenalty: 1 })).toEqual([
      await model.ask(picture, question, long),
    ]);
  });

  test("of several descriptions the one that is nearest to the codes is taken", async () => {
    const pictures = [picture, blocks(2)];
    const codes = (await model.tokenizer.encode(pictures)).map((one) => one.codes);
    const seen = await model.tokenizer.embedCodes(codes);
    const done: [number, number][] = [];
    const onReply = (...at: [number, number]): void => void done.push(at);
    const best = await model.describe(pictures, { ...short, bestOf: 5, seed: 3, onReply });
    expect([done[0], done.at(-1)]).toEqual([
      [0, 2],
      [2, 2],
    ]);
    for (const [i, image] of pictures.entries()) {
      const chance = { ...short, temperature: 0.8, topP: 0.9 };
      const some = await Promise.all([3, 4, 5, 6, 7].map((seed) => model.describe([image], { ...chance, seed })));
      const texts = some.flat();
      expect(new Set(texts).size).toBeGreaterThan(2);
      const nearness = (await model.tokenizer.embedText(texts)).map((v) => dot(v, seen[i]!));
      expect(texts.map((text, at) => [text, nearness[at]])).toContainEqual([best[i], Math.max(...nearness)]);
    }
    expect(await model.describe([{ codes: codes[0]! }], short)).toEqual(
      await model.describe([picture], { ...short, bestOf: 16 }),
    );
    await expect(model.describe([picture], { bestOf: 0 })).rejects.toThrow("expected the best of 1 or more, got 0");
    await expect(model.describe([picture], { bestOf: 2, beams: 2 })).rejects.toThrow("the best of 2 or 2 beams");
    const nothing = undefined as unknown as Uint8Array;
    await expect(model.describe([nothing])).rejects.toThrow("expected an image, got none");
    const conversation: Turn[] = [{ role: "user", parts: ["hi"] }];
    await expect(model.respond([conversation], { seeds: [1, 2] })).rejects.toThrow(
      "a seed for each of 1 prompts, got 2",
    );
    await expect(model.respond([conversation], { seeds: [1], beams: 2 })).rejects.toThrow("seeds or beams");
  });

  test("a question changes the answer; sampling and beams can be asked for", async () => {
    const answer = await model.ask(picture, "how many cats?", short);
    expect(answer).not.toBe(await model.ask(picture, "describe the picture.", short));
    const sampled = { ...short, temperature: 2, seed: 5 };
    expect(await model.ask(picture, "how many cats?", sampled)).toBe(
      await model.ask(picture, "how many cats?", sampled),
    );
    expect(await model.ask(picture, "how many cats?", { ...sampled, seed: 6 })).not.toBe(
      await model.ask(picture, "how many cats?", sampled),
    );
    expect((await model.ask(picture, "how many cats?", { ...short, beams: 3 })).length).toBeGreaterThan(0);
  });

  test("many questions at once are answered as one by one, with beams too", async () => {
    const asked = ["how many cats?", "how many dogs?", "what is it?"].map((question, i) => ({
      image: blocks(i + 1),
      question,
    }));
    for (const options of [short, { ...short, temperature: 1, seed: 2 }, { ...short, beams: 2 }]) {
      const done: number[] = [];
      const answers = await model.askAll(asked, { ...options, onReply: (n) => done.push(n) });
      const alone: string[] = [];
      for (const { image, question } of asked) alone.push(await model.ask(image, question, options));
      expect(answers).toEqual(alone);
      expect(done).toEqual([1, 2, 3]);
    }
  });

  test("answers may be any words of the model, unless top-p says otherwise", async () => {
    const wild = { ...short, temperature: 3, seed: 5 };
    const answer = await model.ask(picture, "how many cats?", wild);
    expect(answer).toBe(await model.ask(picture, "how many cats?", { ...wild, topP: 1 }));
    expect(answer).not.toBe(await model.ask(picture, "how many cats?", { ...wild, topP: 0.5 }));
  });

  test("codes may stand where a picture may, and are checked before any picture is read", async () => {
    const [{ codes }] = (await model.tokenizer.encode([picture])) as [{ codes: Int32Array }];
    const asked = (image: Turn["parts"][number]): Turn[] => [{ role: "user", parts: [image, "what is it?"] }];
    const [a, b, c] = await model.respond([asked({ image: picture }), asked({ image: { codes } }), asked({ codes })], {
      temperature: 0,
      maxTokens: 12,
      images: "never",
    });
    expect([b, c]).toEqual([a, a]);
    const wrong = model.respond([asked({ image: "no-such-file.png" }), asked({ codes: [1, 2] })]);
    await expect(wrong).rejects.toThrow("picture: expected 32 codes, got 2.");
    await expect(model.respond([asked({ codes })], { batch: 0 })).rejects.toThrow("expected a batch from 1, got 0.");
  });

  test("replies to conversations, pictures as codes", async () => {
    const conversations = ["two cats", "a dog"].map((prompt): Turn[] => [
      { role: "user", parts: [{ image: picture }, "what is it?"] },
      { role: "assistant", parts: ["a cat"] },
      { role: "user", parts: [model.request(prompt)] },
    ]);
    const replies = await model.respond(conversations, { images: "force", maxTokens: 34 });
    for (const { pictures, broken, reason } of replies) {
      expect(pictures.map(({ length }) => length)).toEqual([32]);
      expect([broken, reason]).toEqual([false, "length"]);
    }
    const [cut] = await model.respond(conversations.slice(0, 1), { images: "force", maxTokens: 10 });
    expect(cut).toEqual({ text: "", pictures: [], broken: true, reason: "length" });
  });

  test("plain sequences are continued without a template; a reply can begin with given words", async () => {
    const [{ codes }] = (await model.tokenizer.encode([picture])) as [{ codes: Int32Array }];
    const greedy = { maxTokens: 8, temperature: 0, images: "never" } as const;
    const [a, b, c] = await model.complete([[{ codes }, "a"], [{ image: picture }, "a"], ["a"]], greedy);
    expect(a!.text).not.toBe("");
    expect(b!.text).toBe(a!.text);
    expect(c!.text).not.toBe(a!.text);
    const [best] = await model.complete([[{ codes }, "a"]], { ...greedy, beams: 2 });
    expect(best!.text).not.toBe("");
    const turns: Turn[][] = [[{ role: "user", parts: [{ codes }] }]];
    const [free] = await model.respond(turns, greedy);
    const [begun] = await model.respond(turns, { ...greedy, prefix: "a cat and" });
    expect(begun!.text).not.toBe(free!.text);
    await expect(model.complete([[]], greedy)).rejects.toThrow("expected text or a picture in sequence 0");
  });

  test("image tokens in a person's text are text", async () => {
    const named = `<img>${"<img_00001>".repeat(2)}</img>what?`;
    const long = model.ask(picture, named, { maxTokens: 4 });
    await expect(long).resolves.toBeTypeOf("string");
    const tooLong = `<img>${"<img_00001>".repeat(32)}</img>`; // hundreds of letters, and no picture of 34 tokens
    await expect(model.ask(picture, tooLong, short)).rejects.toThrow(
      new RegExp(`prompt: expected at most ${TINY_CONTEXT - 1} tokens, got 4\\d\\d\\.`),
    );
  });

  test("what is missing is named", async () => {
    await expect(model.ask(undefined as never, "what?")).rejects.toThrow("ask: expected an image, got none.");
    await expect(model.ask(picture, " ")).rejects.toThrow("ask: expected a question, got none.");
    await expect(model.ask({ codes: [1, 2] }, "what?")).rejects.toThrow("picture: expected 32 codes, got 2.");
    await expect(model.ask({ codes: Array(32).fill(64) }, "what?")).rejects.toThrow("is outside 0..63");
    await expect(model.describe([picture], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
  });
});

describe("drawing", () => {
  test("the same prompt and seed draw the same picture, of 32 codes", async () => {
    const [one, two] = await model.draw("two cats", { count: 2, seed: 3 });
    expect(one!.codes).toHaveLength(32);
    expect(Math.max(...one!.codes)).toBeLessThan(TINY_CODES);
    expect(one!.image).toMatchObject({ width: 16, height: 16 });
    expect([one!.seed, two!.seed]).toEqual([3, 4]);
    expect(two!.codes).not.toEqual(one!.codes);
    expect(await model.draw("two cats", { seed: 4 })).toEqual([two]);
    const [other] = await model.drawCodes("a dog", { seed: 3 });
    expect(other!.codes).not.toEqual(one!.codes);
  });

  test("beams give the best codes first; guidance changes them", async () => {
    const best = await model.drawCodes("two cats", { beams: 3, count: 2 });
    expect(best.map(({ seed }) => seed)).toEqual([0, 1]);
    expect(best[0]!.codes).not.toEqual(best[1]!.codes);
    const greedy = { temperature: 0 } as const;
    const [plain] = await model.drawCodes("two cats", greedy);
    const [off] = await model.drawCodes("two cats", { ...greedy, guidance: 1 });
    const [guided] = await model.drawCodes("two cats", { ...greedy, guidance: 4 });
    const [away] = await model.drawCodes("two cats", { ...greedy, guidance: 4, negative: "a dog" });
    expect(off).toEqual(plain);
    expect(guided!.codes).not.toEqual(plain!.codes);
    expect(away!.codes).not.toEqual(guided!.codes);
  });

  test("what makes no sense or does not fit is refused", async () => {
    await expect(model.draw(" ")).rejects.toThrow("draw: expected a prompt, got none.");
    await expect(model.draw("a cat", { count: 0 })).rejects.toThrow("draw: expected a count from 1, got 0.");
    await expect(model.draw("a cat", { count: 3, beams: 2 })).rejects.toThrow("expected at least 3 beams");
    await expect(model.draw("a cat", { guidance: Number.NaN })).rejects.toThrow("guidance: expected a number");
    const long = "xyz".repeat(100);
    await expect(model.drawCodes(long)).rejects.toThrow(`expected at most ${TINY_CONTEXT - 34} tokens, got 3`);
    expect(await model.drawCodes(long, { truncate: true })).toHaveLength(1);
    await expect(model.drawCodes("x".repeat(10_001))).rejects.toThrow("expected a prompt of at most 10000 letters");
  });

  test("an option that is undefined keeps its default", async () => {
    const nothing = { temperature: undefined, topP: undefined, topK: undefined, seed: undefined, images: undefined };
    expect(await model.drawCodes("two cats", nothing)).toEqual(await model.drawCodes("two cats"));
    expect(await model.ask(picture, "what?", { ...short, ...nothing })).toBe(await model.ask(picture, "what?", short));
    const [drawing] = await model.draw("two cats", { ...nothing, steps: undefined, guidance: undefined });
    expect((await drawing!.note()).sampling).toMatchObject({ temperature: 1, topP: 0.5, topK: 0, guidance: 1 });
  });

  test("stops between two codes when it is aborted", async () => {
    const controller = new AbortController();
    const drawing = model.draw("a cat", { count: 5, signal: controller.signal, onCodes: () => controller.abort() });
    await expect(drawing).rejects.toMatchObject({ name: "AbortError" });
  });

  test("a file tells how it was drawn, and by which model it can be decoded again", async () => {
    const options = { seed: 9, topK: 5, steps: 2 } as const;
    const [drawing] = await model.draw("a grün 猫", options);
    const png = await drawing!.png();
    const read = readDrawingNote(png, "out.png");
    expect(read).toEqual(await drawing!.note());
    expect(read).toMatchObject({
      prompt: "a grün 猫",
      seed: 9,
      sampling: { topK: 5, topP: 0.5 },
      decoding: { steps: 2 },
    });
    const decoder = await decoderHashes(folder);
    expect(() => expectSameDecoder(read, decoder, "cpu", "out.png")).not.toThrow();
    expect(() => expectSameDecoder(read, { ...decoder, "vae/config.json": "0".repeat(16) }, "cpu", "out.png")).toThrow(
      `out.png: drawn by another model: vae/config.json was ${decoder["vae/config.json"]}, here 0000000000000000. Set model to that one.`,
    );
    expect(() => expectSameDecoder(read, decoder, "webgpu", "out.png")).toThrow("expected device cpu");
    const { decoding: painting, models, ...same } = read;
    const old = { ...same, format: "seedling-drawing-1", painting, models: { ...models, painter: models.decoder } };
    delete (old.models as { decoder?: unknown }).decoder;
    expect(readDrawingNote(await encodePng(picture, { seedling: JSON.stringify(old) }), "old.png")).toEqual(read);
    const [again] = await model.tokenizer.decode([read.codes], { seed: read.seed, steps: 2, batch: 1 });
    expect(differentPixels(again!, drawing!.image)).toBe(0);
    expect(differentPixels(again!, picture)).toBe(48 * 32);
  });
});

describe("talking", () => {
  const user = (...parts: Turn["parts"]): Turn => ({ role: "user", parts });

  async function events(turns: readonly Turn[], options = {}): Promise<ChatEvent[]> {
    const all: ChatEvent[] = [];
    for await (const event of model.chat(turns, { maxTokens: 40, ...options })) all.push(event);
    return all;
  }

  test("the reply can stand in the next call, with its pictures", async () => {
    const first = await events([user({ image: picture }, "what?")], { images: "force", seed: 2 });
    expect(first[0]).toMatchObject({ kind: "image", drawing: { seed: 2, image: { width: 16 } } });
    const { drawing } = first[0] as Extract<ChatEvent, { kind: "image" }>;
    expect(await drawing.note()).toMatchObject({ prompt: "what?", seed: 2, codes: drawing.codes });
    const end = first.at(-1) as Extract<ChatEvent, { kind: "end" }>;
    expect(end.turn.parts[0]).toEqual({ codes: drawing.codes });
    const second = await events([user({ image: picture }, "what?"), end.turn, user("and now?")], { images: "never" });
    expect(second.at(-1)).toMatchObject({ kind: "end", turn: { role: "assistant" } });
    expect(second.some(({ kind }) => kind === "image")).toBe(false);
  });

  test("without pictures, and with beams", async () => {
    const all = await events([user("hi")], { beams: 2, images: "never", maxTokens: 6 });
    expect(all.map(({ kind }) => kind)).toEqual(["text", "end"]);
  });

  test("turns must alternate", async () => {
    await expect(events([user("hi"), user("hi")])).rejects.toThrow("chat: expected user and assistant in turn");
    await expect(events([{ role: "system", parts: ["be kind"] }, user("hi")])).rejects.toThrow("got a system message");
  });

  test("of a conversation that is too long the oldest turns are left out, if that is wanted", async () => {
    const long: Turn[] = [];
    for (let i = 0; i < 4; i++)
      long.push(user("abcdefghijklmnopqrstuvwxyz".repeat(2)), { role: "assistant", parts: ["aaaa"] });
    long.push(user("and now?"));
    await expect(events(long)).rejects.toThrow(`prompt: expected at most ${TINY_CONTEXT - 1} tokens, got `);
    const all = await events(long, { truncate: true, maxTokens: 3 });
    expect(all[0]).toEqual({ kind: "truncated", turns: 6 });
    expect(all.at(-1)!.kind).toBe("end");
  });

  test("stops when it is aborted", async () => {
    const controller = new AbortController();
    const run = async (): Promise<void> => {
      for await (const _ of model.chat([user("hi")], { signal: controller.signal })) controller.abort();
    };
    await expect(run()).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("folders that do not belong together", () => {
  let count = 0;
  /** What opening a changed copy says. */
  async function refusal(change: (copy: string) => Promise<void>, options = {}): Promise<unknown> {
    const copy = join(root, `copy-${count++}`);
    await cp(folder, copy, { recursive: true });
    await change(copy);
    const error = await SeedLanguageModel.fromPretrained(copy, options).catch((e: unknown) => e);
    expect((error as Error).message).not.toContain("\n");
    return error;
  }
  const edit = async (path: string, change: (json: Record<string, unknown>) => object): Promise<void> =>
    writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, "utf8")))));

  test.each<[string, (copy: string) => Promise<void>, string, number]>([
    [
      "no adapter",
      (copy) => rm(join(copy, "lm-adapter"), { recursive: true }),
      "lm-adapter: expected the adapter of a language model that sees and draws, found none. Set adapter to one.",
      3,
    ],
    ["no base", (copy) => rm(join(copy, "lm"), { recursive: true }), "lm: expected a language model, a folder", 3],
    ["no manifest", (copy) => rm(join(copy, "lm-adapter", "seedling.json")), "seedling.json: expected the requests", 4],
    ["no weights", (copy) => rm(join(copy, "lm", "model.safetensors")), "model.safetensors, found none", 4],
    [
      "a tokenizer without image tokens",
      (copy) => cp(join(copy, "lm", "tokenizer.json"), join(copy, "lm-adapter", "tokenizer.json")),
      "tokenizer.json: expected the tokens <img>, </img> and <img_00000>.., found none.",
      3,
    ],
    [
      "another codebook",
      (copy) => edit(join(copy, "lm-adapter", "seedling.json"), (json) => ({ ...json, codebook: "0".repeat(16) })),
      "lm-adapter: codebook of the image tokenizer: expected 0000000000000000, got ",
      3,
    ],
    [
      "another base of the same sizes",
      (copy) => writeTinyLanguageModelBase(copy),
      "lm: expected the base of the adapter (hash ",
      3,
    ],
    [
      "an adapter of other sizes",
      async (copy) => {
        const adapter = await readPeftFolder(join(copy, "lm-adapter"));
        const weights = new Map(
          [...adapter.weights].map(([path, { data }]) => [path, { shape: [data.length, 1], data }]),
        );
        await writePeftFolder(join(copy, "lm-adapter"), { ...adapter, weights });
      },
      "lm: the adapter does not fit this base: ",
      3,
    ],
    [
      "image tokens elsewhere",
      (copy) =>
        edit(join(copy, "lm-adapter", "tokenizer.json"), (json) => {
          const tokens = json["added_tokens"] as { id: number; content: string }[];
          const moved = tokens.map((t) => (/img/.test(t.content) ? { ...t, id: t.id - 1 } : t));
          return { ...json, added_tokens: moved };
        }),
      "expected <img_00000> as id ",
      3,
    ],
  ])("%s", async (_, change, says, exitCode) => {
    const error = await refusal(change);
    expect((error as Error).message).toContain(says);
    expect(error).toMatchObject({ exitCode });
  });

  test("a GGUF file that is none, or of an unknown type", async () => {
    const path = join(root, "x.gguf");
    await writeFile(path, "nothing");
    await expect(SeedLanguageModel.fromPretrained(folder, { lm: path })).rejects.toThrow("expected a GGUF file");
    const header = Buffer.alloc(24);
    header.write("GGUF");
    header.writeUInt32LE(9, 4);
    await writeFile(path, header);
    await expect(SeedLanguageModel.fromPretrained(folder, { lm: path })).rejects.toThrow(
      "expected GGUF version 2 or 3",
    );
  });
});

/** Other random weights in the base, the rest as it was. */
async function writeTinyLanguageModelBase(copy: string): Promise<void> {
  const other = join(root, "other-base");
  await cp(folder, other, { recursive: true });
  await writeTinyLanguageModel(other, { seed: 77 });
  await cp(join(other, "lm"), join(copy, "lm"), { recursive: true });
}
