/** The config.json next to an official checkpoint, if it states what shapes do not tell. */
import { z } from "zod";
import { translateConfig } from "../../image-decoder/seedling-1.ts";
import { exists, kindOf } from "../../io/files.ts";
import { dirname, join } from "../../io/paths.ts";
import { FORMAT } from "../../models/config.ts";
import { readJsonFile } from "../../weights/index.ts";
import type { Hints } from "./infer.ts";

const count = z.int().positive();
const eps = z.number().positive().optional();

/** A folder of ours: imported, or trained here. */
const ours = z.object({
  format: z.literal(FORMAT),
  vision: z.object({ heads: count, depth: count, eps }),
  qformer: z.object({ heads: count, eps }),
  decoderHeads: count.optional(),
});

/** A parity fixture; its README describes it. */
const fixture = z.object({
  kind: z.string(),
  vision: z.object({ heads: count, depth: count, layer_norm_eps: eps }),
  qformer: z.object({ num_attention_heads: count, layer_norm_eps: eps }),
  decoder: z.object({ num_heads: count }).optional(),
});

/** Hints from the config.json in the folder `path`, or next to the file `path`; none if there is no such file or it is another kind. */
export async function readHints(path: string): Promise<Hints> {
  const folder = (await kindOf(path)) === "folder" ? path : dirname(path);
  const where = join(folder, "config.json");
  if (!(await exists(where))) return {};
  const json = await readJsonFile(where);
  const own = ours.safeParse(translateConfig(json));
  if (own.success) {
    const { vision, qformer, decoderHeads } = own.data;
    return {
      visionHeads: vision.heads,
      visionDepth: vision.depth,
      qformerHeads: qformer.heads,
      decoderHeads,
      visionEps: vision.eps,
      qformerEps: qformer.eps,
    };
  }
  const other = fixture.safeParse(json);
  if (!other.success) return {};
  const { vision: tower, qformer, decoder } = other.data;
  return {
    visionHeads: tower.heads,
    visionDepth: tower.depth,
    qformerHeads: qformer.num_attention_heads,
    decoderHeads: decoder?.num_heads,
    visionEps: tower.layer_norm_eps,
    qformerEps: qformer.layer_norm_eps,
  };
}
