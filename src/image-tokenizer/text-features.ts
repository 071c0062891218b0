/** The text encoder of a model's CLIP pair: what its image decoder reads as text features. */
import type { GenerationEmbedding } from "../image-decoder/decoder.ts";
import { type BatchOptions, inBatches, rows } from "../runtime/batches.ts";
import type { Value } from "../runtime/index.ts";
import type { Programs } from "../runtime/programs.ts";
import { type ProgramName, textLength } from "./graphs.ts";
import type { SeedFolder } from "./seed-folder.ts";

type Parts = Pick<SeedFolder, "config" | "graphs" | "tokenizer">;

/** Captions -> features f32 [B,L,D] and CLIP embeddings f32 [B,Fc]. For models with a CLIP pair. */
export async function clipTextOf(
  { config, tokenizer }: Parts,
  programs: Programs<ProgramName>,
  captions: readonly string[],
): Promise<{ features: Value; embedding: Value }> {
  const L = textLength(config);
  const B = captions.length;
  const { ids, end } = tokenizer?.encode(captions, L) ?? { ids: new Int32Array(B * L), end: new Int32Array(B) };
  const feeds = { ids: { shape: [B, L], data: ids }, end: { shape: [B], data: end } };
  return (await programs.run("clipText", feeds)) as { features: Value; embedding: Value };
}

/** Captions -> text features f32 [L,D] each; undefined for a model without a CLIP pair. */
export function textFeaturesOf(
  parts: Parts,
  programs: Programs<ProgramName>,
): ((captions: readonly string[], options?: BatchOptions) => Promise<GenerationEmbedding[]>) | undefined {
  if (!parts.graphs.clipText || !parts.tokenizer) return undefined;
  return async (captions, options = {}) => {
    const values = await inBatches(captions, options, async (chunk) => {
      return (await clipTextOf(parts, programs, chunk)).features;
    });
    const shape = values[0]?.shape.slice(1) ?? [];
    return rows<Float32Array>(values).map((data) => ({ shape, data }));
  };
}

/** Rows of `length` tokens as rows of `L`, padded with zeros, which the mask hides. */
export function padTokens(data: Int32Array, length: number, L: number): Int32Array {
  if (length === L) return data;
  const out = new Int32Array((data.length / length) * L);
  for (let b = 0; b * length < data.length; b++) out.set(data.subarray(b * length, (b + 1) * length), b * L);
  return out;
}
