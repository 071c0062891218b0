/** config.json of a folder that was imported from official checkpoints: the sizes, and which parts there are. */
import { z } from "zod";
import { join } from "../../io/paths.ts";
import { codebook, count, image, qformer, text, vision } from "../../models/config.ts";
import type { SeedConfig } from "../../models/seed-tokenizer.ts";
import { parseWith, readJsonFile } from "../../weights/index.ts";

export const OFFICIAL_FORMAT = "seed-official-1";

const schema = z.strictObject({
  format: z.literal(OFFICIAL_FORMAT),
  vision,
  qformer,
  /** Width of the contrastive space of stage 1. */
  contrastiveWidth: count.optional(),
  /** Absent in a Q-Former without codes, such as BLIP-2's. */
  codec: z
    .strictObject({
      codebook,
      decoderDepth: count,
      decoderHeads: count,
      /** Are `blocks` and `pos_embed` there, which turn codes back into causal embeddings? */
      reconstructs: z.boolean(),
      image: image.optional(),
      text: text.optional(),
    })
    .optional(),
});

export type OfficialConfig = z.infer<typeof schema>;

/** @throws InputError naming every wrong or unknown key. */
export const parseOfficialConfig: (json: unknown, where: string) => OfficialConfig = parseWith(schema);

/** Was this folder made by an import? False for what is no model folder at all. */
export async function isOfficialFolder(path: string): Promise<boolean> {
  const json = await readJsonFile(join(path, "config.json")).catch(() => undefined);
  return (json as { format?: unknown } | undefined | null)?.format === OFFICIAL_FORMAT;
}

/** What the SEED functions take. Without a codec its sizes are 1, and nothing may be built from them. */
export function officialSeedConfig({ vision, qformer, contrastiveWidth, codec }: OfficialConfig): SeedConfig {
  const { reconstructs: _, ...sizes } = codec ?? {
    codebook: { codes: 1, width: 1 },
    decoderDepth: 1,
    decoderHeads: 1,
    reconstructs: false,
  };
  return { vision, qformer, ...sizes, ...(contrastiveWidth ? { contrastiveWidth } : {}) } as SeedConfig;
}
