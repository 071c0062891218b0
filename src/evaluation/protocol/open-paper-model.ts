/** The parts of a model folder in the form that the protocol uses, with the hashes of their weights and settings. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError, SetupError } from "../../base/errors.ts";
import { reason } from "../../base/one-line.ts";
import { isClipFolder } from "../../image-tokenizer/clip/clip-folder.ts";
import { ClipModel } from "../../image-tokenizer/clip/clip-model.ts";
import { textLength } from "../../image-tokenizer/graphs.ts";
import { SeedTokenizer } from "../../image-tokenizer/seed-tokenizer.ts";
import { exists } from "../../io/files.ts";
import { hashOf } from "../../io/hash.ts";
import { decoderHashes } from "../../language/lm-folders.ts";
import type { LanguageModelOptions, RespondOptions, Turn } from "../../language/options.ts";
import { SeedLanguageModel } from "../../language/seed-language-model.ts";
import { baseHash, fileHash } from "../../weights/index.ts";
import type { PaperModel, PartName } from "./paper-model.ts";
import {
  ANSWER_LENGTH_PENALTY,
  ANSWER_TOKENS,
  CAPTION_LENGTH_PENALTY,
  CAPTION_PREFIX,
  CAPTION_TOKENS,
  type ProtocolSettings,
  questionPrompt,
  TEXT_TOKENS,
} from "./settings.ts";

export interface OpenPaperOptions extends LanguageModelOptions {
  readonly settings: ProtocolSettings;
  /** A CLIP folder, or a model that was trained here, whose CLIP pair compares pictures. Default: none. */
  readonly judge?: string;
  /** Of the image decoder. Default: as the model says. */
  readonly steps?: number;
  readonly guidanceScale?: number;
}

export interface OpenedPaperModel {
  readonly model: PaperModel;
  /** Of files, by part and name. */
  readonly weights: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The adapter's request to describe a picture. */
  readonly describe?: string;
  /** Tokens of a caption that count. */
  readonly textTokens?: number;
  close(): Promise<void>;
}

type Parts = { -readonly [K in PartName]?: PaperModel[K] };

/** @throws as the parts do; a part that is missing is not an error here: see `PaperModel.lacks` */
export async function openPaperModel(folder: string, options: OpenPaperOptions): Promise<OpenedPaperModel> {
  const { settings, judge: judgeFolder } = options;
  const lacks: Partial<Record<PartName, string>> = {};
  const speaker = await openSpeaker(folder, options, lacks);
  const tokenizer = speaker?.tokenizer ?? (await SeedTokenizer.fromPretrained(folder, options));
  const close = async (): Promise<void> => {
    await Promise.all([speaker ? speaker.close() : tokenizer.close(), judge?.close()]);
  };
  let judge: Judge | undefined;
  try {
    judge = await openJudge(judgeFolder, options, lacks);
    const pictures = await decoderHashes(folder);
    const lm = speaker && (await speakerHashes(speaker));
    const decoder = options.decoder === undefined ? undefined : await folderHashes(options.decoder);
    const weights = {
      tokenizer: pictures,
      ...(decoder ? { decoder } : {}),
      ...(lm ? { language: lm } : {}),
      ...(judge ? { judge: judge.hashes } : {}),
    };
    const own = idOf("pictures", pictures["model.safetensors"], pictures["config.json"], options.device);
    const parts: Parts = {
      ...embeddingParts(tokenizer, own, pictures, lacks),
      ...(speaker && lm ? languageParts(speaker, idOf(lm, settings, options.lmBits, options.device), settings) : {}),
      ...decodingParts(
        tokenizer,
        idOf(own, pictures, decoder ?? {}, options.steps, options.guidanceScale),
        options,
        lacks,
      ),
      ...(judge ? { judge: judge.part } : {}),
    };
    const see: PaperModel["see"] = {
      id: idOf(own, settings.filter),
      run: async (some) => {
        const seen = await tokenizer.encodeAndEmbed(some, { batch: some.length || 1, filter: settings.filter });
        return seen.map(({ codes, embedding }) => ({ codes: codes && [...codes], embedding }));
      },
    };
    const describe = speaker?.manifest.requests.describe;
    return { model: { see, ...parts, lacks }, weights, describe, textTokens: textTokens(tokenizer), close };
  } catch (error) {
    await close();
    throw error;
  }
}

const idOf = (...parts: readonly unknown[]): string => hashOf(JSON.stringify(parts));

function embeddingParts(
  tokenizer: SeedTokenizer,
  own: string,
  hashes: Readonly<Record<string, string>>,
  lacks: Partial<Record<PartName, string>>,
): Parts {
  const parts: Parts = {};
  const { capabilities: can } = tokenizer;
  const maxTokens = textTokens(tokenizer);
  if (can.has("embedText"))
    parts.embedTexts = {
      id: idOf(own, hashes["tokenizer.json"], maxTokens),
      run: (captions) => tokenizer.embedText(captions, { maxTokens, batch: captions.length || 1 }),
    };
  else lacks.embedTexts = "the model reads no text";
  if (can.has("embedCodes"))
    parts.embedCodes = { id: own, run: (codes) => tokenizer.embedCodes(codes, { batch: codes.length || 1 }) };
  else lacks.embedCodes = "the model has no codes in the space of captions";
  return parts;
}

/** As published, or all that the model reads. */
function textTokens({ capabilities, config }: SeedTokenizer): number {
  return capabilities.has("embedText") ? Math.min(TEXT_TOKENS, textLength(config)) : TEXT_TOKENS;
}

/** The model with its language model; undefined, with the reason, if it has none. */
async function openSpeaker(
  folder: string,
  options: OpenPaperOptions,
  lacks: Partial<Record<PartName, string>>,
): Promise<SeedLanguageModel | undefined> {
  if (options.adapter !== undefined || options.lm !== undefined || (await exists(join(folder, "lm-adapter"))))
    return SeedLanguageModel.fromPretrained(folder, options);
  lacks.describe = lacks.answer = "the model has no language model. Name one: --lm and --adapter";
  return undefined;
}

function languageParts(speaker: SeedLanguageModel, id: string, settings: ProtocolSettings): Parts {
  const { prompts, beams, answerBeams } = settings;
  const certain = { temperature: 0, repetitionPenalty: 1, images: "never" } as const;
  const say = async (
    sequences: readonly Turn["parts"][],
    options: RespondOptions & { readonly prefix?: string },
  ): Promise<string[]> => {
    const all = { ...certain, ...options, batch: Math.max(sequences.length, 1) };
    const replies =
      prompts === "paper"
        ? await speaker.complete(sequences, all)
        : await speaker.respond(
            sequences.map((parts): Turn[] => [{ role: "user", parts }]),
            all,
          );
    return replies.map(({ text }) => (text.trim().split("\n")[0] ?? "").trim());
  };
  return {
    describe: {
      id,
      run: (pictures) => {
        const options = { maxTokens: CAPTION_TOKENS, beams, lengthPenalty: CAPTION_LENGTH_PENALTY };
        const request = { paper: [CAPTION_PREFIX], chat: [], own: [speaker.manifest.requests.describe] }[prompts];
        const prefix = prompts === "chat" ? CAPTION_PREFIX : undefined;
        return say(
          pictures.map((codes) => [{ codes }, ...request]),
          { ...options, prefix },
        );
      },
    },
    answer: {
      id,
      run: (asked) => {
        const words = (question: string): string => (prompts === "own" ? question : questionPrompt(question));
        const options = { maxTokens: ANSWER_TOKENS, beams: answerBeams, lengthPenalty: ANSWER_LENGTH_PENALTY };
        return say(
          asked.map(({ codes, question }) => [{ codes }, words(question)]),
          options,
        );
      },
    },
  };
}

function decodingParts(
  tokenizer: SeedTokenizer,
  id: string,
  { steps, guidanceScale }: OpenPaperOptions,
  lacks: Partial<Record<PartName, string>>,
): Parts {
  const parts: Parts = {};
  const options = { steps, guidanceScale };
  if (tokenizer.capabilities.has("decode"))
    parts.decode = { id, run: (codes, seeds) => tokenizer.decode(codes, { ...options, seed: seeds }) };
  else lacks.decode = "the model has no image decoder. Name one: --diffusion";
  if (tokenizer.capabilities.has("decodeText"))
    parts.decodeTexts = { id, run: (captions, seeds) => tokenizer.decodeText(captions, { ...options, seed: seeds }) };
  else lacks.decodeTexts = "the image decoder reads no text";
  return parts;
}

interface Judge {
  readonly part: NonNullable<PaperModel["judge"]>;
  readonly hashes: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

async function openJudge(
  folder: string | undefined,
  options: OpenPaperOptions,
  lacks: Partial<Record<PartName, string>>,
): Promise<Judge | undefined> {
  if (folder === undefined) {
    lacks.judge = "no network to compare pictures with. Name CLIP ViT-L/14: --clip";
    return undefined;
  }
  const { device, threads } = options;
  if ((await exists(folder)) && !(await isClipFolder(folder))) {
    const own = await SeedTokenizer.fromPretrained(folder, { device, threads });
    own.expect("clipImage");
    const hashes = await decoderHashes(folder);
    const part: Judge["part"] = { id: idOf(hashes), run: (some) => own.clipImage(some, { batch: some.length || 1 }) };
    return { part, hashes, close: () => own.close() };
  }
  const clip = await ClipModel.fromPretrained(folder, options);
  const hashes = await folderHashes(clip.path);
  const part: Judge["part"] = { id: idOf(hashes), run: (some) => clip.embedImages(some, { batch: some.length || 1 }) };
  return { part, hashes, close: () => clip.close() };
}

async function speakerHashes({ folders }: SeedLanguageModel): Promise<Record<string, string>> {
  const names = ["adapter_model.safetensors", "adapter_config.json", "seedling.json", "tokenizer.json"];
  const hashes: Record<string, string> = { base: await baseHash(folders.lm) };
  for (const name of names) hashes[name] = await fileHash(join(folders.adapter, name));
  return hashes;
}

/** Of weights and settings in a folder and those in it. */
async function folderHashes(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    throw new SetupError(`${folder}: expected a folder that can be listed (${reason(error)}). Name its path.`);
  });
  const hashes: Record<string, string> = {};
  for (const name of names.sort()) {
    if (/\.(safetensors|json|txt)$/.test(name)) hashes[name] = await fileHash(join(folder, name));
  }
  if (Object.keys(hashes).length === 0) throw new InputError(`${folder}: expected model files, found none.`);
  return hashes;
}
