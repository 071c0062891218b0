/**
 * What the JSON files of a diffusers folder say: which kind it is, the sizes of its parts, how it samples. The graph of
 * every part follows from that; weights are not looked at here.
 */
import { z } from "zod";
import { InputError, SetupError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import {
  type NoiseSchedule,
  readNoiseSchedule,
  readScheduler,
  type SamplerName,
  type Scheduler,
} from "../diffusion/index.ts";
import { buildFrom } from "../graph/index.ts";
import { exists, readFileBounded } from "../io/files.ts";
import { join } from "../io/paths.ts";
import type { TextEncoderConfig } from "../models/clip.ts";
import { readClipTextConfig, readClipVisionConfig } from "../models/clip-config.ts";
import type { ClipVisionConfig } from "../models/clip-vision.ts";
import { readUnetConfig, readVaeConfig } from "../models/diffusers-config.ts";
import type { UnetConfig } from "../models/unet.ts";
import { type VaeConfig, vaeFactor } from "../models/vae.ts";
import { ClipPrompts } from "../text/index.ts";
import { parseJson, parseWith, readJsonFile } from "../weights/index.ts";
import { type BuiltPart, imageEncoderPart, type PartName, textEncoderPart, unetPart, vaePart } from "./parts.ts";

/** What each kind of pipeline is told to paint. */
const PAINTS_FROM = { StableDiffusionPipeline: "text", StableUnCLIPImg2ImgPipeline: "image" } as const;

export interface DiffusersSettings {
  readonly path: string;
  readonly paintsFrom: "image" | "text";
  readonly textEncoder: TextEncoderConfig;
  readonly unet: UnetConfig;
  readonly vae: VaeConfig;
  readonly prompts: ClipPrompts;
  /** The folder's own sampler, or another one with the same noise. @throws InputError for one that is not built here. */
  readonly scheduler: (name?: SamplerName) => Scheduler;
  /** How image embeddings are blurred; of unCLIP only. */
  readonly imageSchedule?: NoiseSchedule;
  /** Of unCLIP, if it is there: painting from codes does not need it. */
  readonly imageEncoder?: ClipVisionConfig;
  readonly built: ReadonlyMap<PartName, BuiltPart>;
}

const parseIndex = parseWith(z.object({ _class_name: z.string() }));

/** What a folder paints from, by its model_index.json. @throws SetupError if there is none; InputError for another kind. */
export async function readKind(path: string): Promise<"image" | "text"> {
  expectAll(path, await absent(path, ["model_index.json"]));
  const where = join(path, "model_index.json");
  const { _class_name: kind } = parseIndex(await readJsonFile(where), where);
  if (Object.hasOwn(PAINTS_FROM, kind)) return PAINTS_FROM[kind as keyof typeof PAINTS_FROM];
  throw new InputError(
    `${where}: expected ${Object.keys(PAINTS_FROM).join(" or ")}, got ${quote(kind)}. Name another folder.`,
  );
}

/** The JSON files without which a folder of this kind is not whole. */
export function settingsFiles(paintsFrom: "image" | "text"): string[] {
  return [
    ...["text_encoder", "unet", "vae"].map((part) => `${part}/config.json`),
    "scheduler/scheduler_config.json",
    ...(paintsFrom === "image" ? ["image_noising_scheduler/scheduler_config.json"] : []),
  ];
}

/**
 * @throws SetupError naming every file that is missing; InputError for another kind of pipeline, or parts that do not fit
 * each other.
 */
export async function readDiffusersSettings(path: string): Promise<DiffusersSettings> {
  const at = (...names: string[]): string => join(path, ...names);
  const json = async <T>(name: string, parse: (json: unknown, where: string) => T): Promise<T> =>
    parse(await readJsonFile(at(name)), at(name));
  const paintsFrom = await readKind(path);
  expectAll(path, await absent(path, settingsFiles(paintsFrom)));

  const textEncoder = await json("text_encoder/config.json", readClipTextConfig);
  const unet = await json("unet/config.json", readUnetConfig);
  const vae = await json("vae/config.json", readVaeConfig);
  checkSizes(path, { paintsFrom, textEncoder, unet, vae });
  const hasImageEncoder = paintsFrom === "image" && (await absent(path, ["image_encoder/config.json"])).length === 0;
  const imageEncoder = hasImageEncoder ? await json("image_encoder/config.json", readClipVisionConfig) : undefined;

  const builders: readonly (readonly [PartName, () => BuiltPart])[] = [
    ["text_encoder", () => textEncoderPart(textEncoder)],
    ["unet", () => unetPart(unet, textEncoder.maxPositions)],
    ["vae", () => vaePart(vae, unet.sampleSize)],
    ...(imageEncoder ? [["image_encoder", () => imageEncoderPart(imageEncoder)] as const] : []),
  ];
  const built = new Map(builders.map(([name, build]) => [name, buildFrom(at(name, "config.json"), build)] as const));
  const { vocabulary, maxPositions: length, activation } = textEncoder;
  const fill = activation === "quick_gelu" ? "end" : "zero";
  const own = await schedulerSettings(at("scheduler/scheduler_config.json"));
  const scheduler = (name?: SamplerName): Scheduler => readScheduler(own, at("scheduler/scheduler_config.json"), name);
  return {
    path,
    paintsFrom,
    textEncoder,
    unet,
    vae,
    prompts: await ClipPrompts.open(at("tokenizer"), { vocabulary, length, fill }),
    scheduler,
    ...(paintsFrom === "image"
      ? { imageSchedule: await json("image_noising_scheduler/scheduler_config.json", readNoiseSchedule) }
      : {}),
    ...(imageEncoder ? { imageEncoder } : {}),
    built,
  };
}

/** Python writes infinity as no JSON has it: the default of `lambda_min_clipped` in diffusers. */
async function schedulerSettings(path: string): Promise<unknown> {
  const text = new TextDecoder().decode(await readFileBounded(path, 1e6));
  return parseJson(new TextEncoder().encode(text.replace(/(?<=:\s*-?)Infinity\b/g, "1e999")), path);
}

/** Width of the image embedding: the other half of the class vector says how noisy it is. */
export function imageWidth({ projectionClassEmbeddingsInputDim = 0 }: UnetConfig): number {
  return projectionClassEmbeddingsInputDim / 2;
}

/** Those of `names` that are not in the folder. @throws InputError if there is no such folder. */
export async function absent(path: string, names: readonly string[]): Promise<string[]> {
  if (!(await exists(path))) throw new InputError(`${path}: no such diffusers folder. Check the path.`);
  const here = await Promise.all(names.map((name) => exists(join(path, name))));
  return names.filter((_, i) => !here[i]);
}

/** @throws SetupError naming everything that is missing. */
export function expectAll(path: string, missing: readonly string[]): void {
  if (missing.length > 0)
    throw new SetupError(`${path}: expected ${missing.join(", ")}, found none. Copy the whole diffusers folder again.`);
}

/** Numbers that stand in two files must agree. */
function checkSizes(
  path: string,
  { paintsFrom, textEncoder, unet, vae }: Pick<DiffusersSettings, "paintsFrom" | "textEncoder" | "unet" | "vae">,
): void {
  const wrong = (
    [
      ["cross_attention_dim in unet/config.json", textEncoder.width, unet.crossAttentionDim],
      ["in_channels in unet/config.json", vae.latentChannels, unet.inChannels],
      ["out_channels in unet/config.json", vae.latentChannels, unet.outChannels],
      ["out_channels in vae/config.json", 3, vae.outChannels],
    ] as const
  )
    .filter(([, expected, got]) => expected !== got)
    .map(([what, expected, got]) => `${what}: expected ${expected}, got ${got}`);
  const classes = unet.projectionClassEmbeddingsInputDim;
  if (paintsFrom === "image" && (classes === undefined || classes % 4 !== 0))
    wrong.push(
      `projection_class_embeddings_input_dim in unet/config.json: expected a multiple of 4, got ${classes ?? "none"}`,
    );
  if (paintsFrom === "text" && classes !== undefined)
    wrong.push("class_embed_type in unet/config.json: expected none in a StableDiffusionPipeline, got projection");
  const side = unet.sampleSize * vaeFactor(vae);
  if (side > 4096) wrong.push(`sample_size in unet/config.json: expected pictures of at most 4096 px, got ${side}`);
  if (wrong.length > 0) throw new InputError(`${path}: ${wrong.join("; ")}. Do the files belong together?`);
}
