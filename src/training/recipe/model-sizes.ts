/** The file with the sizes of a model: `model.json` beside the recipes, and in a run folder. */
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
    /** One line for people. */
    about: z.string(),
    /** Content of config.json of a model folder, without the size of the vocabulary. */
    model: part,
    /** The files of the image decoder, in diffusers' names: config.json of its parts, and scheduler_config.json. */
    unet: part,
    vae: part,
    scheduler: part,
    /** Defaults of sampling, which model_index.json states. */
    pipeline: z.strictObject({ num_inference_steps: z.int().min(1), guidance_scale: z.number() }),
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
  /** Hash of all sizes, and of those of the image tokenizer alone. */
  readonly identity: string;
  readonly tokenizerIdentity: string;
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
  const parts = { ...decoderSizes(decoder, where), decoder };
  const tokenizerIdentity = hashOf(JSON.stringify(config(1)));
  return { json, config, ...parts, identity: hashOf(tokenizerIdentity, JSON.stringify(parts)), tokenizerIdentity };
}
