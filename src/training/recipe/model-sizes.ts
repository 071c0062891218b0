/** The file with the sizes of a model: `model.json` beside the recipes, and in a run folder. */
import { z } from "zod";
import { parseUnetConfig } from "../../image-decoder/unet-config.ts";
import { parseVaeConfig } from "../../image-decoder/vae-config.ts";
import { hashOf } from "../../io/hash.ts";
import { parseWith } from "../../io/json-file.ts";
import { parseSeedlingConfig, type SeedlingConfig } from "../../models/config.ts";
import type { PixelVaeConfig } from "../../models/pixel-vae.ts";
import type { UnetConfig } from "../../models/unet.ts";

const part = z.record(z.string(), z.unknown());

const parseFile = parseWith(
  z.strictObject({
    /** One line for people. */
    about: z.string(),
    /** Content of config.json of a model folder, without the size of the vocabulary. */
    model: part,
    unet: part,
    vae: part,
    /** Content of scheduler.json. */
    scheduler: part,
  }),
);

/** Sizes of a model; that of the vocabulary is known once there is a tokenizer. */
export interface ModelSizes {
  /** The file's content. */
  readonly json: unknown;
  readonly config: (vocabulary: number) => SeedlingConfig;
  readonly unet: UnetConfig;
  readonly vae: PixelVaeConfig;
  readonly scheduler: Readonly<Record<string, unknown>>;
  readonly identity: string;
}

/** @throws InputError naming each unknown or wrong key */
export function parseModelSizes(json: unknown, where: string): ModelSizes {
  const { model, unet, vae, scheduler } = parseFile(json, where);
  const config = (vocabulary: number): SeedlingConfig => {
    const textEncoder = { ...(model.textEncoder as object), vocabulary };
    const qformer = { ...(model.qformer as object), vocabulary };
    return parseSeedlingConfig({ ...model, textEncoder, qformer }, where);
  };
  // All sizes are checked before anything long begins. Which head conditions the diffusion model is decided by `assemble`.
  const { paintsFrom: _, ...sizes } = config(1);
  const parts = { unet: parseUnetConfig(unet, where), vae: parseVaeConfig(vae, where), scheduler };
  return { json, config, ...parts, identity: hashOf(JSON.stringify([sizes, parts])) };
}
