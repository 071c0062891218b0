/** A model that computes nothing, for tests of the server: codes are the bytes of the picture, replies repeat the question. */
import type { ServedModel } from "./served-model.ts";

export interface FakeModel extends ServedModel {
  /** Sizes of the batches that were encoded. */
  readonly batches: number[];
  /** Tokens that were computed for replies. */
  tokens: number;
  closed: boolean;
}

export function fakeModel(id = "fake", delayMs = 5): FakeModel {
  const later = (): Promise<void> => new Promise((done) => setTimeout(done, delayMs));
  const codesOf = (bytes: Uint8Array): number[] => Array.from({ length: 32 }, (_, i) => bytes[i % bytes.length] ?? 0);
  const image = { width: 2, height: 2, data: new Uint8ClampedArray(12) };
  const model: FakeModel = {
    id,
    capabilities: new Set(["encode", "embed", "decode", "chat"] as const),
    codebook: "fake codes",
    batches: [],
    tokens: 0,
    closed: false,
    prepare: async (bytes) => ({ width: 1, height: bytes.length, data: bytes }),
    encode: async (images) => {
      model.batches.push(images.length);
      await later();
      return images.map(({ data }) => codesOf(data));
    },
    embedImages: async (images) => images.map(({ data }) => Float32Array.of(data[0] ?? 0, 1)),
    embedTexts: async (texts) => texts.map((text) => Float32Array.of(text.length, 0.5)),
    embedCodes: async (lists) => lists.map(([first = 0]) => Float32Array.of(first, 1)),
    decode: async (jobs) => {
      await later();
      return jobs.map(() => image as never);
    },
    describe: async (jobs) => jobs.map(({ codes }) => `codes ${codes[0]}`),
    chat: async function* (turns, { maxTokens = 10, signal }) {
      const last = turns.at(-1)?.parts ?? [];
      const words = last.filter((part) => typeof part === "string").join(" ");
      if (words === "fail") throw new Error("worker died: secret path");
      if (words.startsWith("draw")) {
        yield { kind: "image", codes: codesOf(Buffer.from(words)), png: async () => Buffer.from(words) };
      }
      const said = words === "endless" ? Array.from({ length: 100_000 }, () => "word") : words.split(" ");
      let tokens = 0;
      for (const word of said) {
        signal?.throwIfAborted();
        await later();
        model.tokens++;
        yield { kind: "text", text: `${word} ` };
        if (++tokens === maxTokens && words !== "endless") break;
      }
      yield { kind: "end", reason: tokens < maxTokens ? "stop" : "length", promptTokens: last.length, tokens };
    },
    drawCodes: async (prompt, { seed = 0, signal }, onCodes) => {
      const codes: number[] = [];
      for (let i = 0; i < 32; i++) {
        signal?.throwIfAborted();
        codes.push((prompt.length + seed + i) % 8192);
        onCodes?.([...codes]);
      }
      await later();
      return codes;
    },
    drawingPng: async ({ prompt, seed, settings }) => Buffer.from(JSON.stringify({ prompt, seed, settings })),
    close: async () => {
      model.closed = true;
    },
  };
  return model;
}
