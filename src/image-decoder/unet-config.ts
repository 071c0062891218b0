/** unet/config.json of a Seedling folder: our own camel-case names, each checked. */
import { z } from "zod";
import { parseWith } from "../base/parse-with.ts";
import type { UnetConfig } from "../models/unet.ts";

const count = z.int().min(1).max(100_000);

const parse = parseWith(
  z
    .strictObject({
      sampleSize: count,
      inChannels: count,
      outChannels: count,
      blockOutChannels: z.array(count).min(1).max(8),
      layersPerBlock: count.max(16),
      downBlockTypes: z.array(z.enum(["CrossAttnDownBlock2D", "DownBlock2D"])),
      upBlockTypes: z.array(z.enum(["CrossAttnUpBlock2D", "UpBlock2D"])),
      crossAttentionDim: count,
      attentionHeads: z.union([count, z.array(count)]),
      useLinearProjection: z.boolean().optional(),
      normNumGroups: count.optional(),
      normEps: z.number().positive().optional(),
      flipSinToCos: z.boolean().optional(),
      freqShift: z.number().optional(),
      classEmbedType: z.literal("projection"),
      projectionClassEmbeddingsInputDim: count,
      hintChannels: count.optional(),
      placeEmbedding: z.boolean().optional(),
    })
    .refine(
      (c) =>
        [c.downBlockTypes, c.upBlockTypes, c.attentionHeads].every(
          (list) => !Array.isArray(list) || list.length === c.blockOutChannels.length,
        ),
      { message: "expected downBlockTypes, upBlockTypes and attentionHeads as long as blockOutChannels" },
    ),
);

/** @throws InputError naming every wrong or unknown key. */
export function parseUnetConfig(json: unknown, where: string): UnetConfig {
  return parse(json, where) as UnetConfig;
}
