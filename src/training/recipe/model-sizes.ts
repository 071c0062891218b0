/** The file with the sizes of a model: `model.json` next to the recipes, and in a run folder. */
import { z } from "zod";
import { type DecoderFiles, decoderSizes } from "../../image-decoder/write-decoder.ts";
import { hashOf } from "../../io/hash.ts";
import { parseWith } from "../../io/json-file.ts";
import { parseSeedlingConfig, type SeedlingConfig } from "../../models/config.ts";
import type { UnetConfig } from "../../models/unet.ts";
import type { VaeConfig } from "../../models/vae.ts";

const part = z.record(z.string(), z.unknown());

const parseFile = parseWith(
  z.strictObject({
    /** A one-line description. */
    about: z.string(),
    /** Content of config.json of a model folder, without the size of the vocabulary. */
    model: part,
    /** The files of the image decoder, in diffusers' names: config.json of its parts, and scheduler_config.json. */
    unet: part,
    vae: part,
    scheduler: part,
    /** Defaults of sampling, which model_index.json states. */
    pipeline: z.strictObject({
      num_inference_steps: z.int().min(1),
      guidance_scale: z.number(),
      noise_scale: z.number().min(0).max(1).optional(),
    }),
  }),
);

/** Sizes of a model; that of the vocabulary is known once there is a tokenizer. */
export interface ModelSizes {
  /** The file's content. */
  readonly json: unknown;
  readonly config: (vocabulary: number) => SeedlingConfig;
  readonly unet: UnetConfig;
  readonly vae: VaeConfig;
  /** The files of the image decoder. */
  readonly decoder: DecoderFiles;
}

/** A key of the file, in dotted form: `vae`, `model.textEncoder`, `model.vision.imageSize`. */
export type SizeKey = "unet" | "vae" | "scheduler" | "pipeline" | `model.${string}`;

type Json = Readonly<Record<string, unknown>>;

/** What the file says under one key; undefined if it says nothing. */
function sizeAt(json: unknown, key: SizeKey): unknown {
  return key.split(".").reduce<unknown>((value, name) => (value as Json | undefined)?.[name], json);
}

/** Hash of what the file says under these keys: the sizes that a stage depends on. */
export function sizesHash({ json }: ModelSizes, keys: readonly SizeKey[]): string {
  return hashOf(JSON.stringify(keys.map((key) => [key, sizeAt(json, key) ?? null])));
}

/** The first of these keys under which two files differ; the order of the keys below it does not matter. */
export function differingSize(a: ModelSizes, b: ModelSizes, keys: readonly SizeKey[]): SizeKey | undefined {
  const said = ({ json }: ModelSizes, key: SizeKey): string => JSON.stringify(inOrder(sizeAt(json, key) ?? null));
  return keys.find((key) => said(a, key) !== said(b, key));
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value) || typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, below]) => [name, inOrder(below)]));
}

/** The file with what another one says under these keys. */
export function withSizes({ json }: ModelSizes, from: ModelSizes, keys: readonly SizeKey[]): unknown {
  return keys.reduce((all, key) => replaced(all, key.split("."), sizeAt(from.json, key)), json as Json);
}

function replaced(json: Json, [name = "", ...rest]: readonly string[], value: unknown): Json {
  return { ...json, [name]: rest.length === 0 ? value : replaced((json[name] ?? {}) as Json, rest, value) };
}

/** @throws InputError naming each unknown or wrong key */
export function parseModelSizes(json: unknown, where: string): ModelSizes {
  const { model, about: _, ...decoder } = parseFile(json, where);
  const config = (vocabulary: number): SeedlingConfig => {
    const textEncoder = { ...(model.textEncoder as object), vocabulary };
    const qformer = { ...(model.qformer as object), vocabulary };
    return parseSeedlingConfig({ ...model, textEncoder, qformer }, where);
  };
  // All sizes are checked before anything long begins.
  config(1);
  return { json, config, ...decoderSizes(decoder, where), decoder };
}
