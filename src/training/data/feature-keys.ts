/**
 * What the frozen features depend on, as hashes: features that were cached under another key are not used.
 * Everything that changes the numbers belongs in here, except the pictures, which have an identity of their own.
 */

import { hashOf } from "../../io/hash.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import type { VaeConfig } from "../../models/vae.ts";
import type { CaptionTokenizer } from "../../text/index.ts";

type Weights = ReadonlyMap<string, Float32Array>;

/** Of the CLIP pair: how pixels are normalized, both encoders' sizes, which word has which id. */
export function clipKey(config: SeedlingConfig, tokenizer: CaptionTokenizer, weights: Weights): string {
  const { pixels, vision, clipWidth, clipGrid, textEncoder } = config;
  const settings = JSON.stringify([pixels, vision, clipWidth, clipGrid ?? null, textEncoder, tokenizer.json]);
  return hashOf("clip-3", settings, ...sorted(weights));
}

/** Of the autoencoder and the CLIP pair. */
export function latentsKey(clip: string, vae: VaeConfig, weights: Weights): string {
  return hashOf("latents", clip, JSON.stringify(vae), ...sorted(weights));
}

/** Of the Causal Q-Former, on top of the CLIP pair; it reads captions by the same tokenizer. */
export function seedKey(clip: string, config: SeedlingConfig, weights: Weights): string {
  const { qformer, contrastiveText, contextPositions } = config;
  const settings = JSON.stringify([qformer, contrastiveText ?? null, contextPositions ?? null]);
  return hashOf("seed-3", clip, settings, ...sorted(weights));
}

/** Of the codebook and what reads codes, on top of the Causal Q-Former. */
export function codesKey(causal: string, config: SeedlingConfig, weights: Weights): string {
  const { codebook, decoderDepth, decoderHeads, draft } = config;
  const settings = JSON.stringify([codebook, decoderDepth, decoderHeads, draft ?? null]);
  return hashOf("codes", causal, settings, ...sorted(weights));
}

function sorted(weights: Weights): (string | Float32Array)[] {
  return [...weights].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
}
