/**
 * The JSON files of a diffusers folder: which kind it is, the sizes of its parts, how it samples. The graph of
 * every part follows from that; weights are not read here.
 */
import { z } from "zod";
import { InputError, SetupError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { parseWith } from "../base/parse-with.ts";
import { withDefaults } from "../base/with-defaults.ts";
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
import { parseJson, readJsonFile } from "../weights/index.ts";
import type { EmbeddingKind } from "./decoder.ts";
import {
  type BuiltPart,
  conditionerPart,
  imageEncoderPart,
  type PartName,
  textEncoderPart,
  unetPart,
  vaePart,
} from "./parts.ts";

/** Defaults of sampling. */
export interface SamplingDefaults {
  readonly steps: number;
  readonly guidanceScale: number;
  readonly noiseScale: number;
  readonly batch: number;
}

const PIPELINES = {
  /** Stable Diffusion 1.x. Defaults: the demo of SEED v1. */
  StableDiffusionPipeline: { accepts: ["text"], steps: 50, guidanceScale: 7.5, noiseScale: 1, batch: 1 },
  /** Stable Diffusion 2.1 unCLIP. Defaults: the code of SEED v2. */
  StableUnCLIPImg2ImgPipeline: { accepts: ["image"], steps: 20, guidanceScale: 10, noiseScale: 1, batch: 1 },
  /** The decoder of a model that was trained here; its text encoder is that of the model. */
  SeedlingPipeline: { accepts: ["image", "draft", "text"], steps: 25, guidanceScale: 3, noiseScale: 1, batch: 8 },
} as const satisfies Record<string, SamplingDefaults & { readonly accepts: readonly EmbeddingKind[] }>;

export type PipelineName = keyof typeof PIPELINES;

export interface DiffusersSettings {
  readonly path: string;
  readonly pipeline: PipelineName;
  readonly accepts: readonly EmbeddingKind[];
  readonly defaults: SamplingDefaults;
  /** Rows and columns of the pictures, px. */
  readonly imageSize: number;
  /** Channels, rows and columns of the latents of one picture. */
  readonly latentShape: readonly [number, number, number];
  /** Tokens and width of text features. */
  readonly textShape: readonly [number, number];
  /** Of an image embedding; 0 if there is none. */
  readonly imageWidth: number;
  /** Channels, rows and columns of a draft, of models that take one. */
  readonly draftShape?: readonly [number, number, number] | undefined;
  /** Absent for a model that was trained here. */
  readonly prompts?: ClipPrompts | undefined;
  /** The folder's own sampler, or another one with the same noise. @throws InputError for one that is not implemented. */
  readonly scheduler: (name?: SamplerName) => Scheduler;
  /** How image embeddings are blurred; of unCLIP only. */
  readonly imageSchedule?: NoiseSchedule | undefined;
  /** Of unCLIP, if it is there: decoding does not need it. */
  readonly imageEncoder?: ClipVisionConfig | undefined;
  readonly built: ReadonlyMap<PartName, BuiltPart>;
}

const count = z.int().min(1);

const parseIndex = parseWith(
  z.object({
    _class_name: z.string(),
    /** Of a SeedlingPipeline. */
    context_length: count.max(4096).optional(),
    num_inference_steps: count.optional(),
    guidance_scale: z.number().optional(),
    noise_scale: z.number().min(0).max(1).optional(),
  }),
);

/** Which pipeline a folder is, by its model_index.json. @throws SetupError if there is none; InputError for another kind. */
export async function readPipeline(path: string): Promise<PipelineName> {
  return (await readIndex(path)).pipeline;
}

async function readIndex(path: string): Promise<{ pipeline: PipelineName; index: ReturnType<typeof parseIndex> }> {
  expectAll(path, await absent(path, ["model_index.json"]));
  const where = join(path, "model_index.json");
  const index = parseIndex(await readJsonFile(where), where);
  const { _class_name: name } = index;
  if (Object.hasOwn(PIPELINES, name)) return { pipeline: name as PipelineName, index };
  throw new InputError(
    `${where}: expected ${Object.keys(PIPELINES).join(" or ")}, got ${quote(name)}. Name another folder.`,
  );
}

/** The JSON files without which a folder of this kind is not whole. */
export function settingsFiles(pipeline: PipelineName): string[] {
  const parts = pipeline === "SeedlingPipeline" ? ["unet", "vae"] : ["text_encoder", "unet", "vae"];
  return [
    ...parts.map((part) => `${part}/config.json`),
    "scheduler/scheduler_config.json",
    ...(pipeline === "StableUnCLIPImg2ImgPipeline" ? ["image_noising_scheduler/scheduler_config.json"] : []),
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
  const { pipeline, index } = await readIndex(path);
  expectAll(path, await absent(path, settingsFiles(pipeline)));
  const ours = pipeline === "SeedlingPipeline";
  const unclip = pipeline === "StableUnCLIPImg2ImgPipeline";

  const textEncoder = ours ? undefined : await json("text_encoder/config.json", readClipTextConfig);
  const unet = await json("unet/config.json", readUnetConfig);
  const vae = await json("vae/config.json", readVaeConfig);
  checkSizes(path, { pipeline, textEncoder, unet, vae });
  const contextLength = textEncoder?.maxPositions ?? index.context_length;
  if (contextLength === undefined)
    throw new InputError(`${at("model_index.json")}: expected context_length, got none.`);
  const hasImageEncoder = unclip && (await absent(path, ["image_encoder/config.json"])).length === 0;
  const imageEncoder = hasImageEncoder ? await json("image_encoder/config.json", readClipVisionConfig) : undefined;
  const classWidth = unet.projectionClassEmbeddingsInputDim ?? 0;
  const latentShape = [vae.latentChannels, unet.sampleSize, unet.sampleSize] as const;
  const channels = unet.inChannels - unet.outChannels;

  const builders: (readonly [PartName, () => BuiltPart])[] = [];
  if (textEncoder) builders.push(["text_encoder", () => textEncoderPart(textEncoder)]);
  builders.push(["unet", () => unetPart(unet, contextLength)], ["vae", () => vaePart(vae, unet.sampleSize)]);
  if (imageEncoder) builders.push(["image_encoder", () => imageEncoderPart(imageEncoder)]);
  if (channels > 0 && classWidth > 0)
    builders.push(["conditioner", () => conditionerPart(classWidth, { channels, side: unet.sampleSize })]);
  const built = new Map(builders.map(([name, build]) => [name, buildFrom(at(name), build)] as const));

  const own = await schedulerSettings(at("scheduler/scheduler_config.json"));
  const { accepts, ...defaults } = PIPELINES[pipeline];
  return {
    path,
    pipeline,
    accepts: (accepts as readonly EmbeddingKind[]).filter(
      (kind) => !ours || kind !== (classWidth > 0 ? "draft" : "image"),
    ),
    defaults: withDefaults(defaults, {
      steps: index.num_inference_steps,
      guidanceScale: index.guidance_scale,
      noiseScale: index.noise_scale,
    }),
    imageSize: unet.sampleSize * vaeFactor(vae),
    latentShape,
    textShape: [contextLength, unet.crossAttentionDim],
    // The other half of unCLIP's class vector encodes how noisy the embedding is.
    imageWidth: unclip ? classWidth / 2 : classWidth,
    draftShape: ours && classWidth === 0 ? [channels, unet.sampleSize, unet.sampleSize] : undefined,
    prompts: textEncoder && (await openPrompts(at("tokenizer"), textEncoder)),
    scheduler: (name) => readScheduler(own, at("scheduler/scheduler_config.json"), name),
    imageSchedule: unclip ? await json("image_noising_scheduler/scheduler_config.json", readNoiseSchedule) : undefined,
    imageEncoder,
    built,
  };
}

function openPrompts(path: string, { vocabulary, maxPositions, activation }: TextEncoderConfig): Promise<ClipPrompts> {
  return ClipPrompts.open(path, {
    vocabulary,
    length: maxPositions,
    fill: activation === "quick_gelu" ? "end" : "zero",
  });
}

/** Python writes Infinity, which is not JSON: the default of `lambda_min_clipped` in diffusers. */
async function schedulerSettings(path: string): Promise<unknown> {
  const text = new TextDecoder().decode(await readFileBounded(path, 1e6));
  return parseJson(new TextEncoder().encode(text.replace(/(?<=:\s*-?)Infinity\b/g, "1e999")), path);
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

/** Larger pictures are not what these models make. */
const MAX_SIDE = 4096;

/** Numbers that two files state must agree. */
function checkSizes(
  path: string,
  parts: { pipeline: PipelineName; textEncoder: TextEncoderConfig | undefined; unet: UnetConfig; vae: VaeConfig },
): void {
  const { pipeline, textEncoder, unet, vae } = parts;
  const ours = pipeline === "SeedlingPipeline";
  const rows: readonly (readonly [what: string, expected: number, got: number])[] = [
    ["cross_attention_dim in unet/config.json", textEncoder?.width ?? unet.crossAttentionDim, unet.crossAttentionDim],
    ["in_channels in unet/config.json", vae.latentChannels, ours ? vae.latentChannels : unet.inChannels],
    ["out_channels in unet/config.json", vae.latentChannels, unet.outChannels],
    ["out_channels in vae/config.json", 3 * (vae.patchSize ?? 1) ** 2, vae.outChannels],
  ];
  const wrong = rows
    .filter(([, expected, got]) => expected !== got)
    .map(([what, expected, got]) => `${what}: expected ${expected}, got ${got}`);
  const classes = unet.projectionClassEmbeddingsInputDim;
  if (pipeline === "StableUnCLIPImg2ImgPipeline" && (classes === undefined || classes % 4 !== 0))
    wrong.push(
      `projection_class_embeddings_input_dim in unet/config.json: expected a multiple of 4, got ${classes ?? "none"}`,
    );
  if (pipeline === "StableDiffusionPipeline" && classes !== undefined)
    wrong.push("class_embed_type in unet/config.json: expected none in a StableDiffusionPipeline, got projection");
  const least = vae.latentChannels + (classes === undefined ? 1 : 0); // without an image embedding there is a draft
  if (ours && unet.inChannels < least)
    wrong.push(`in_channels in unet/config.json: expected at least ${least}, got ${unet.inChannels}`);
  const side = unet.sampleSize * vaeFactor(vae);
  if (side > MAX_SIDE)
    wrong.push(`sample_size in unet/config.json: expected pictures of at most ${MAX_SIDE} px, got ${side}`);
  if (wrong.length > 0) throw new InputError(`${path}: ${wrong.join("; ")}. Do the files belong together?`);
}
