/** A model folder, trained here or imported, opened and checked whole before anything runs. Nothing here computes. */
import { InputError } from "../base/errors.ts";
import { quote, reason, show } from "../base/one-line.ts";
import type { SamplerName } from "../diffusion/index.ts";
import { buildFrom, type Outputs, Params, shapesOf } from "../graph/index.ts";
import type { EmbeddingKind } from "../image-decoder/decoder.ts";
import type { DiffusionDecoder } from "../image-decoder/diffusion-decoder.ts";
import { type DiffusersFolder, openDiffusersFolder } from "../image-decoder/folder.ts";
import { openSeedling1Decoder, SEEDLING_1_FILES, translateConfig } from "../image-decoder/seedling-1.ts";
import { exists, kindOf } from "../io/files.ts";
import { join } from "../io/paths.ts";
import { type ModelConfig, parseModelConfig } from "../models/config.ts";
import { TEMPERATURES } from "../models/contrastive.ts";
import { draftChannels } from "../models/draft.ts";
import { CaptionTokenizer, type EncodedCaptions, WordPieceTokenizer } from "../text/index.ts";
import { readJsonFile } from "../weights/index.ts";
import { type CheckedWeights, checkedWeights } from "../weights/mapped/weights.ts";
import { withoutFile } from "../weights/model-folder.ts";
import { type ProgramName, seedGraphs, textLength } from "./graphs.ts";

/** Text as ids: words of our own, or BERT's word pieces. */
export interface TextTokenizer {
  readonly size: number;
  encode(captions: readonly string[], length: number): EncodedCaptions;
}

export interface SeedFolder {
  readonly path: string;
  readonly config: ModelConfig;
  /** Of the text side, if there is a tokenizer.json. */
  readonly tokenizer?: TextTokenizer | undefined;
  readonly graphs: Readonly<Partial<Record<ProgramName, Outputs>>>;
  readonly weights: CheckedWeights;
  /** The image decoder that is part of the folder. */
  readonly decoder?: DiffusersFolder | undefined;
}

export interface OpenFolderOptions {
  /** A tokenizer.json elsewhere. */
  readonly tokenizer?: string;
  /** Of the image decoder. */
  readonly scheduler?: SamplerName;
  /** Leave out the folder's own image decoder. Default false. */
  readonly withoutDecoder?: boolean;
}

/** Largest tokenizer.json, bytes. */
const MAX_TOKENIZER = 64e6;

/**
 * @throws SetupError naming what is missing; InputError for a wrong key or sizes that do not fit; CheckpointError listing
 * every tensor that is missing, extra or misshaped.
 */
export async function openSeedFolder(path: string, options: OpenFolderOptions = {}): Promise<SeedFolder> {
  await expectFolder(path);
  const { config, files } = await readModelConfig(path);
  await expectFiles(path, files);
  const tokenizer = await openTokenizer(path, config, options.tokenizer);
  checkSizes(path, config, tokenizer);
  const p = new Params();
  const graphs = buildFrom(join(path, "config.json"), () => seedGraphs(config, p)) as SeedFolder["graphs"];
  const weights = await checkedWeights(join(path, "model.safetensors"), shapesOf(p), { other: isOtherPart(config) });
  const decoder = options.withoutDecoder ? undefined : await openDecoder(path, config, options.scheduler);
  return { path, config, tokenizer, graphs, weights, decoder };
}

/** The config, and the files without which the folder is not whole. @throws InputError naming every wrong or unknown key. */
async function readModelConfig(path: string): Promise<{ config: ModelConfig; files: readonly string[] }> {
  const where = join(path, "config.json");
  await expectFiles(path, ["config.json"]);
  const json = await readJsonFile(where);
  const { format } = (json ?? {}) as { format?: unknown };
  if (format === "seed-official-1")
    throw new InputError(`${where}: expected a folder of this version, got one of an earlier import. Import again.`);
  const first = format === "seedling-1" ? SEEDLING_1_FILES : [];
  const config = parseModelConfig(translateConfig(json), where);
  return { config, files: ["model.safetensors", ...(config.textEncoder ? ["tokenizer.json"] : []), ...first] };
}

const MODEL_FILES = [
  ...["config.json", "model.safetensors", "tokenizer.json", ...SEEDLING_1_FILES],
  ...["model_index.json", "scheduler/scheduler_config.json", "conditioner/diffusion_pytorch_model.safetensors"],
  ...["unet", "vae"].map((part) => `${part}/diffusion_pytorch_model.safetensors`),
];

/** The files of a model folder that its pictures depend on, besides codes and settings. */
export async function modelFiles(path: string): Promise<string[]> {
  const here = await Promise.all(MODEL_FILES.map((name) => exists(join(path, name))));
  return MODEL_FILES.filter((_, i) => here[i]);
}

/** The image decoder of the folder, in the layout of the first format or diffusers'; undefined if there is none. */
async function openDecoder(
  path: string,
  config: ModelConfig,
  sampler: SamplerName | undefined,
): Promise<DiffusersFolder | undefined> {
  const own = config.textEncoder && ([config.textEncoder.maxPositions, config.textEncoder.width] as const);
  const first = own && (await exists(join(path, "scheduler.json")));
  const decoder = first
    ? await openSeedling1Decoder(path, own, sampler)
    : (await exists(join(path, "model_index.json")))
      ? await openDiffusersFolder(path, sampler)
      : undefined;
  return decoder;
}

/**
 * The kind of embedding by which codes are decoded; undefined if the model has no head for what the decoder reads.
 * @throws InputError if the head's embeddings have another shape
 */
export function decodingHead(config: ModelConfig, decoder: ReadsEmbeddings): EmbeddingKind | undefined {
  const kind = decoder.accepts.find((one) => config.codebook && config[one]);
  if (!kind) return undefined;
  const { image, text, draft } = config;
  const made = {
    image: [image?.width],
    text: [text?.tokens, text?.width],
    draft: draft && [draftChannels(draft, config.qformer.hidden), draft.size, draft.size],
  }[kind];
  const read = decoder.shapeOf(kind);
  if (made?.join() === read.join()) return kind;
  throw new InputError(
    `${decoder.path}: expected a decoder of ${kind} embeddings [${made?.join()}], as the model makes, got one of [${read.join()}]. Name another decoder.`,
  );
}

type ReadsEmbeddings = Pick<DiffusionDecoder, "path" | "accepts" | "shapeOf">;

async function openTokenizer(
  path: string,
  config: ModelConfig,
  elsewhere: string | undefined,
): Promise<TextTokenizer | undefined> {
  const where = elsewhere ?? join(path, "tokenizer.json");
  if (!config.qformer.vocabulary || (elsewhere === undefined && !(await exists(where)))) return undefined;
  const json = await readJsonFile(where, MAX_TOKENIZER);
  return parseTokenizer(json, where, config.textEncoder ? CaptionTokenizer : WordPieceTokenizer);
}

/** The library that reads it does not check its input, so whatever it throws is the fault of the file. */
function parseTokenizer(
  json: unknown,
  where: string,
  Kind: new (json: Record<string, unknown>) => TextTokenizer,
): TextTokenizer {
  try {
    const tokenizer = new Kind(json as Record<string, unknown>);
    const { vocab } = (json as { model: { vocab: Record<string, unknown> } }).model;
    const wrong = Object.entries(vocab).find(([, id]) => !isId(id, tokenizer.size));
    if (!wrong) return tokenizer;
    throw new Error(`${quote(wrong[0])} has the id ${show(wrong[1])}, not one in 0..${tokenizer.size - 1}`);
  } catch (cause) {
    throw new InputError(`${where}: damaged tokenizer (${reason(cause)}). Copy the file again.`, { cause });
  }
}

function isId(id: unknown, size: number): boolean {
  return Number.isInteger(id) && (id as number) >= 0 && (id as number) < size;
}

/** First parts of the names of each head's parameters. */
export const HEADS = {
  image: ["pos_embed_image", "blocks_image", "image_down", "Reverse_Qformer", "reverse_tokens", "distill_image_proj"],
  draft: ["draft"],
  text: ["pos_embed_text", "blocks_text", "Reverse_Qformer_text", "reverse_tokens_text", "distill_text_proj"],
};

/** Scalars that only training reads, and heads that the config does not name. */
function isOtherPart(config: ModelConfig): (name: string) => boolean {
  const kinds = ["image", "text", "draft"] as const;
  const idle = kinds.flatMap((kind) => (config[kind] ? [] : HEADS[kind]));
  const other = new Set<string>([...TEMPERATURES, ...idle]);
  return (name) => other.has(name) || other.has(name.split(".", 1)[0] ?? "");
}

async function expectFolder(path: string): Promise<void> {
  const kind = await kindOf(path);
  if (!kind) throw new InputError(`${path}: no such model folder. Check the path.`);
  if (kind !== "folder") throw new InputError(`${path}: expected a model folder, got a file. Name the folder.`);
}

async function expectFiles(path: string, names: readonly string[]): Promise<void> {
  const here = await Promise.all(names.map((name) => exists(join(path, name))));
  const missing = names.filter((_, i) => !here[i]);
  if (missing.length > 0) throw await withoutFile(path, missing.join(", "));
}

/** No model is deeper or reads longer texts; a damaged number must not keep the machine busy. */
const MAX_LAYERS = 1000;
const MAX_WORDS = 4096;

/** Numbers that two files state must agree, and none may be absurd. */
function checkSizes(path: string, config: ModelConfig, tokenizer: TextTokenizer | undefined): void {
  const { clipWidth, image, text, textEncoder, qformer } = config;
  const rows: [what: string, expected: number | undefined, got: number | undefined][] = [];
  if (textEncoder) {
    rows.push(["textEncoder.vocabulary", tokenizer?.size, textEncoder.vocabulary]);
    rows.push(["qformer.vocabulary", tokenizer?.size, qformer.vocabulary]);
    if (image) rows.push(["image.width", clipWidth, image.width]);
    if (text) rows.push(["text.tokens", textEncoder.maxPositions, text.tokens]);
    if (text) rows.push(["text.width", textEncoder.width, text.width]);
    const positions = qformer.maxPositions ?? 0;
    if (positions < textEncoder.maxPositions) rows.push(["qformer.maxPositions", textEncoder.maxPositions, positions]);
  }
  const wrong = rows
    .filter(([, expected, got]) => expected !== got)
    .map(([what, expected, got]) => `${what} in config.json: expected ${expected}, got ${got}`);
  if (tokenizer && !textEncoder && tokenizer.size > (qformer.vocabulary ?? 0))
    wrong.push(
      `qformer.vocabulary in config.json: expected at least ${tokenizer.size}, the tokenizer's, got ${qformer.vocabulary}`,
    );
  const limits: [what: string, most: number, got: number | undefined][] = [
    ["vision.depth", MAX_LAYERS, config.vision.depth],
    ["textEncoder.depth", MAX_LAYERS, textEncoder?.depth],
    ["textEncoder.maxPositions", MAX_WORDS, textEncoder && textLength(config)],
    ["qformer.layers", MAX_LAYERS, qformer.layers],
    ["decoderDepth", MAX_LAYERS, config.decoderDepth],
    ["image.head.layers", MAX_LAYERS, image?.head.kind === "reverse" ? image.head.layers : 0],
    ["text.layers", MAX_LAYERS, text?.layers],
  ];
  for (const [what, most, got = 0] of limits)
    if (got > most) wrong.push(`${what} in config.json: expected at most ${most}, got ${got}`);
  if (wrong.length > 0) throw new InputError(`${path}: ${wrong.slice(0, 5).join("; ")}. Do the files belong together?`);
}
