/** vae/config.json of a Seedling folder: our own camel-case names, each checked. */
import { z } from "zod";
import { parseWith } from "../base/parse-with.ts";
import type { PixelVaeConfig } from "../models/pixel-vae.ts";

const count = z.int().min(1).max(100_000);

const parse = parseWith(
  z.strictObject({
    fold: count.max(64),
    latentChannels: count,
    blockOutChannels: z.array(count).min(1).max(8),
    layersPerBlock: count.max(16),
    normNumGroups: count.optional(),
  }),
);

/** @throws InputError naming every wrong or unknown key. */
export function parseVaeConfig(json: unknown, where: string): PixelVaeConfig {
  return parse(json, where) as PixelVaeConfig;
}
