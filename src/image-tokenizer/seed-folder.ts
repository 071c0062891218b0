/** A Seedling model folder, opened and checked whole before anything runs. Nothing here computes. */
import { InputError, SetupError } from "../base/errors.ts";
import { quote, reason, show } from "../base/one-line.ts";
import { buildFrom, type Outputs, Params, shapesOf } from "../graph/index.ts";
import { parseSampling, type Sampling } from "../image-decoder/sampling.ts";
import { parseUnetConfig } from "../image-decoder/unet-config.ts";
import { parseVaeConfig } from "../image-decoder/vae-config.ts";
import { exists, kindOf } from "../io/files.ts";
import { join } from "../io/paths.ts";
import { parseSeedlingConfig, type SeedlingConfig } from "../models/config.ts";
import { TEMPERATURES } from "../models/contrastive.ts";
import { type PixelVaeConfig, pixelVaeFactor } from "../models/pixel-vae.ts";
import type { UnetConfig } from "../models/unet.ts";
import { CaptionTokenizer } from "../text/index.ts";
import { readJsonFile } from "../weights/index.ts";
import { type CheckedWeights, checkedWeights } from "../weights/mapped/weights.ts";
import { type SeedGraphs, seedGraphs, unetGraph, vaeDecoderGraph } from "./graphs.ts";

export const MODEL_FILES = [
  "config.json",
  "model.safetensors",
  "tokenizer.json",
  "scheduler.json",
  "unet/config.json",
  "unet/model.safetensors",
  "vae/config.json",
  "vae/model.safetensors",
] as const;

export interface SeedFolder {
  readonly path: string;
  readonly config: SeedlingConfig;
  readonly unet: UnetConfig;
  readonly vae: PixelVaeConfig;
  readonly sampling: Sampling;
  readonly tokenizer: CaptionTokenizer;
  readonly graphs: SeedGraphs & { readonly unet: Outputs; readonly vae: Outputs };
  readonly weights: CheckedWeights;
  readonly unetWeights: CheckedWeights;
  readonly vaeWeights: CheckedWeights;
}

export type ProgramName = keyof SeedFolder["graphs"];

/** Largest tokenizer.json, bytes. */
const MAX_TOKENIZER = 64e6;

/**
 * @throws SetupError naming what is missing; InputError for a wrong key or sizes that do not fit; CheckpointError listing
 * every tensor that is missing, extra or misshaped.
 */
export async function openSeedFolder(path: string): Promise<SeedFolder> {
  await expectFiles(path);
  const at = (name: (typeof MODEL_FILES)[number]): string => join(path, name);
  const json = async <T>(name: (typeof MODEL_FILES)[number], parse: (json: unknown, where: string) => T): Promise<T> =>
    parse(await readJsonFile(at(name), MAX_TOKENIZER), at(name));
  const config = await json("config.json", parseSeedlingConfig);
  const unet = await json("unet/config.json", parseUnetConfig);
  const vae = await json("vae/config.json", parseVaeConfig);
  const sampling = await json("scheduler.json", parseSampling);
  const tokenizer = await json("tokenizer.json", parseTokenizer);
  checkSizes(path, { config, unet, vae, tokenizer });

  const [p, u, v] = [new Params(), new Params(), new Params()];
  const graphs = buildFrom(at("config.json"), () => seedGraphs(config, p));
  const unetOutputs = buildFrom(at("unet/config.json"), () => unetGraph(unet, config, u));
  const size = paintedSize({ unet, vae });
  const vaeOutputs = buildFrom(at("vae/config.json"), () => vaeDecoderGraph(vae, size, v));
  const weights = await checkedWeights(at("model.safetensors"), shapesOf(p), { other: isOtherPart(config) });
  const unetWeights = await checkedWeights(at("unet/model.safetensors"), shapesOf(u));
  const vaeWeights = await checkedWeights(at("vae/model.safetensors"), shapesOf(v), { other: isEncoder });
  const all = { ...graphs, unet: unetOutputs, vae: vaeOutputs };
  return { path, config, unet, vae, sampling, tokenizer, graphs: all, weights, unetWeights, vaeWeights };
}

/** Rows and columns of the pictures that are painted, px. */
export function paintedSize({ unet, vae }: Pick<SeedFolder, "unet" | "vae">): number {
  return unet.sampleSize * pixelVaeFactor(vae);
}

/** The half that only training needs; a folder may hold it. */
function isEncoder(name: string): boolean {
  return /^vae\.(encoder|quant_conv)\./.test(name);
}

/** The library that reads it trusts what it is given, so whatever it throws is the fault of the file. */
function parseTokenizer(json: unknown, where: string): CaptionTokenizer {
  try {
    const tokenizer = new CaptionTokenizer(json as Record<string, unknown>);
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

/** Scalars that only training reads, and the head that does not paint. */
function isOtherPart({ paintsFrom, text }: SeedlingConfig): (name: string) => boolean {
  const names = {
    image: ["pos_embed_image", "blocks_image", "image_down", "Reverse_Qformer", "reverse_tokens", "distill_image_proj"],
    text: ["pos_embed_text", "blocks_text", ...reverse(text.suffix), "distill_text_proj"],
  };
  const idle = paintsFrom === "image" ? names.text : names.image;
  const other = new Set<string>([...TEMPERATURES, ...idle]);
  return (name) => other.has(name) || other.has(name.split(".", 1)[0]!);
}

function reverse(suffix: string): string[] {
  return [`Reverse_Qformer${suffix}`, `reverse_tokens${suffix}`];
}

async function expectFiles(path: string): Promise<void> {
  const found = await kindOf(path);
  if (!found) throw new InputError(`${path}: no such model folder. Check the path.`);
  if (found !== "folder") throw new InputError(`${path}: expected a model folder, got a file. Name the folder.`);
  const here = await Promise.all(MODEL_FILES.map((name) => exists(join(path, name))));
  const missing = MODEL_FILES.filter((_, i) => !here[i]);
  if (missing.length > 0)
    throw new SetupError(`${path}: expected ${missing.join(", ")}, found none. Copy the whole model folder again.`);
}

/** No model is deeper or reads longer texts; a damaged number must not keep the machine busy. */
const MAX_LAYERS = 1000;
const MAX_WORDS = 4096;
const MAX_SIDE = 4096;

/** Numbers that stand in two files must agree, and none may be absurd. */
function checkSizes(
  path: string,
  { config, unet, vae, tokenizer }: Pick<SeedFolder, "config" | "unet" | "vae" | "tokenizer">,
): void {
  const { clipWidth, image, text, textEncoder, qformer } = config;
  const rows: [what: string, expected: number, got: number | undefined][] = [
    ["image.width in config.json", clipWidth, image.width],
    ["text.tokens in config.json", textEncoder.maxPositions, text.tokens],
    ["text.width in config.json", textEncoder.width, text.width],
    ["textEncoder.vocabulary in config.json", tokenizer.size, textEncoder.vocabulary],
    ["qformer.vocabulary in config.json", tokenizer.size, qformer.vocabulary],
    ["crossAttentionDim in unet/config.json", text.width, unet.crossAttentionDim],
    ["projectionClassEmbeddingsInputDim in unet/config.json", clipWidth, unet.projectionClassEmbeddingsInputDim],
    ["inChannels in unet/config.json", vae.latentChannels, unet.inChannels],
    ["outChannels in unet/config.json", vae.latentChannels, unet.outChannels],
  ];
  const positions = qformer.maxPositions ?? 0;
  if (positions < textEncoder.maxPositions)
    rows.push(["qformer.maxPositions in config.json", textEncoder.maxPositions, positions]);
  const wrong = rows
    .filter(([, expected, got]) => expected !== got)
    .map(([what, expected, got]) => `${what}: expected ${expected}, got ${got}`);
  const limits: [what: string, most: number, got: number][] = [
    ["vision.depth", MAX_LAYERS, config.vision.depth],
    ["textEncoder.depth", MAX_LAYERS, textEncoder.depth],
    ["textEncoder.maxPositions", MAX_WORDS, textEncoder.maxPositions],
    ["qformer.layers", MAX_LAYERS, qformer.layers],
    ["decoderDepth", MAX_LAYERS, config.decoderDepth],
    ["image.head.layers", MAX_LAYERS, image.head.kind === "reverse" ? image.head.layers : 0],
    ["text.layers", MAX_LAYERS, text.layers],
  ];
  for (const [what, most, got] of limits)
    if (got > most) wrong.push(`${what} in config.json: expected at most ${most}, got ${got}`);
  const side = paintedSize({ unet, vae });
  if (side > MAX_SIDE)
    wrong.push(`sampleSize in unet/config.json: expected pictures of at most ${MAX_SIDE} px, got ${side}`);
  if (wrong.length > 0) throw new InputError(`${path}: ${wrong.slice(0, 5).join("; ")}. Do the files belong together?`);
}
