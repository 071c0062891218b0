/** A model folder as the server uses it: with a language model if it has one, else an image tokenizer alone. */
import type { Codes } from "../codes/index.ts";
import { SeedTokenizer, type TokenizerLoadOptions } from "../image-tokenizer/seed-tokenizer.ts";
import { exists } from "../io/files.ts";
import { modelFolder } from "../io/hub/index.ts";
import { join } from "../io/paths.ts";
import { type LanguageModelOptions, SeedLanguageModel } from "../language/index.ts";
import { downloadOptions } from "../weights/load-options.ts";
import { ApiError } from "./api-error.ts";
import type { Capability, ChatEvent, ChatTurn, DecodeJob, ServedModel } from "./served-model.ts";

export interface OpenOptions extends LanguageModelOptions, Pick<TokenizerLoadOptions, "dtype" | "decoder"> {
  /** How requests name it. */
  readonly id: string;
}

/** @throws as `SeedTokenizer.fromPretrained` and `SeedLanguageModel.fromPretrained` */
export async function openServedModel(idOrFolder: string, options: OpenOptions): Promise<ServedModel> {
  const folder = await modelFolder(idOrFolder, downloadOptions(options));
  const speaks =
    options.lm !== undefined || options.adapter !== undefined || (await exists(join(folder, "lm-adapter")));
  if (!speaks) return imagePart(await SeedTokenizer.fromPretrained(folder, options), options.id);
  const model = await SeedLanguageModel.fromPretrained(folder, options);
  const image = imagePart(model.tokenizer, options.id);
  return {
    ...image,
    capabilities: new Set([...image.capabilities, "chat" as const]),
    describe: (jobs, signal) => {
      const { bestOf, seed } = jobs[0] ?? {};
      return model.describe(jobs, { bestOf, seed, signal });
    },
    chat: (turns, settings) => chatEvents(model, turns, settings),
    drawCodes: async (prompt, settings, onCode) => {
      const [drawn] = await model.drawCodes(prompt, { ...settings, onCode });
      if (!drawn) throw new Error("a language model drew nothing");
      return drawn.codes;
    },
    drawingPng: ({ prompt, codes, seed, image, settings }) => {
      const { temperature, topP, steps, guidanceScale } = settings;
      return model.drawing(prompt, { codes, seed, text: "" }, image, { temperature, topP, steps, guidanceScale }).png();
    },
    close: () => model.close(),
  };
}

function imagePart(tokenizer: SeedTokenizer, id: string): ServedModel {
  return {
    id,
    capabilities: servedCapabilities(tokenizer),
    codebook: tokenizer.codebookHash,
    prepare: (image) => tokenizer.prepare(image),
    encode: async (images, signal) => {
      const found = await tokenizer.encode([...images], { batch: images.length, signal });
      return found.map(({ codes }) => Array.from(codes));
    },
    embedImages: (images, signal) => tokenizer.embed([...images], { batch: images.length, signal }),
    embedTexts: (texts, signal) => tokenizer.embedText(texts, { batch: texts.length, signal }),
    embedCodes: (codes, signal) => tokenizer.embedCodes(codes, { batch: codes.length, signal }),
    decode: (jobs, signal) => decode(tokenizer, jobs, signal),
    describe: async () => {
      throw new Error("a model without a language model was asked to describe");
    },
    chat: () => {
      throw new Error("a model without a language model was asked to chat");
    },
    drawCodes: async () => {
      throw new Error("a model without a language model was asked to draw");
    },
    drawingPng: async () => {
      throw new Error("a model without a language model was asked for a drawing");
    },
    close: () => tokenizer.close(),
  };
}

function servedCapabilities({ capabilities }: SeedTokenizer): ReadonlySet<Capability> {
  const can = { encode: "encode", embed: "embedText", decode: "decode" } as const;
  return new Set((["encode", "embed", "decode"] as const).filter((name) => capabilities.has(can[name])));
}

/** Jobs of one batch have the same settings but for their seeds. */
function decode(tokenizer: SeedTokenizer, jobs: readonly DecodeJob[], signal: AbortSignal | undefined) {
  const { keep, steps, guidanceScale } = jobs[0] ?? {};
  const lists: Codes[] = jobs.map(({ codes }) => codes);
  const seed = jobs.map((job) => job.seed);
  return tokenizer.decode(lists, { seed, keep, steps, guidanceScale, batch: jobs.length, signal });
}

async function* chatEvents(
  model: SeedLanguageModel,
  turns: readonly ChatTurn[],
  settings: Parameters<ServedModel["chat"]>[1],
): AsyncGenerator<ChatEvent, void, undefined> {
  const pictures = turns.at(-1)?.parts.some((part) => typeof part !== "string");
  if (pictures && turns.at(-1)?.parts.length === 1)
    throw new ApiError(400, "invalid_messages", "messages: expected a question or request with the picture.", {
      param: "messages",
    });
  for await (const event of model.chat(turns, { ...settings, truncate: true })) {
    if (event.kind === "text") yield event;
    else if (event.kind === "image")
      yield { kind: "image", codes: event.drawing.codes, png: () => event.drawing.png() };
    else if (event.kind === "end") {
      const { reason, promptTokens, tokens } = event;
      yield { kind: "end", reason, promptTokens, tokens };
    }
  }
}
