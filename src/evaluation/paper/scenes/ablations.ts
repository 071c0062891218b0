/** Ablations of the image tokenizer: retrieval by codes, how much of the codebook is used, and what decoded pictures show. */

import { imageOf } from "../../scores.ts";
import { pictureMetrics } from "./generation.ts";
import { type Metrics, recallMetrics } from "./measure.ts";
import { byCodes } from "./retrieval.ts";
import { BATCH, codesOf, type SceneArmOptions, scenesOf, thousands } from "./sets.ts";

export async function ablations(arm: string, options: SceneArmOptions): Promise<Record<string, Metrics>> {
  const { tokenizer, count, decoded = count, signal, onProgress } = options;
  onProgress?.(arm);
  const { scenes } = scenesOf("test", "test", count, options);
  const captions = scenes.map(({ caption }) => caption);
  const { vectors, metrics } = await byCodes(scenes, tokenizer);
  const results: Record<string, Metrics[string]> = {
    ...recallMetrics(vectors, await tokenizer.embedText(captions, BATCH), captions),
    ...metrics,
  };
  if (tokenizer.capabilities.has("decode")) {
    const some = scenes.slice(0, decoded);
    const codes = await codesOf(tokenizer, some.map(imageOf));
    const onStep = (done: number, total: number): void => onProgress?.(arm, done, total);
    const pictures = await tokenizer.decode(codes, { seed: some.map((_, i) => i), signal, onStep });
    Object.assign(results, await pictureMetrics(pictures, some, options));
  }
  return { [`test, ${thousands(count)} candidates`]: results };
}
