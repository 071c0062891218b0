/** Retrieval of captions by pictures and of pictures by captions. arXiv 2307.08041 table 1. */
import type { Scene } from "../../../data/index.ts";
import { nearestByPixels } from "../../metrics/pixel-neighbors.ts";
import { imageOf } from "../../scores.ts";
import { codesInUse, type Metrics, recallMetrics } from "./measure.ts";
import { BATCH, codesOf, type SceneArmOptions, sceneSets, thousands, trainingScenes, unknownArm } from "./sets.ts";

/** By `-embeddings` or `-codes`; or by the caption of the nearest training picture, as a floor. */
export async function retrieval(arm: string, options: SceneArmOptions): Promise<Record<string, Metrics>> {
  const { tokenizer, count, onProgress } = options;
  const known = arm === "nearest-pixels" ? trainingScenes(options) : [];
  const results: Record<string, Metrics> = {};
  const tests = [1, 5].map((n) => [`test, ${thousands(n * count)} candidates`, n * count] as const);
  for (const { set, scenes } of sceneSets(options, tests)) {
    onProgress?.(`retrieval, ${set}`);
    const captions = scenes.map(({ caption }) => caption);
    const texts = await tokenizer.embedText(captions, BATCH);
    const { vectors, metrics } = await pictureVectors(arm, scenes, options, known);
    results[set] = { ...recallMetrics(vectors, texts, captions), ...metrics };
  }
  return results;
}

interface PictureVectors {
  /** Unit vectors f32 [F]. */
  readonly vectors: readonly Float32Array[];
  readonly metrics?: Metrics;
}

async function pictureVectors(
  arm: string,
  scenes: readonly Scene[],
  { tokenizer }: Pick<SceneArmOptions, "tokenizer">,
  known: readonly Scene[],
): Promise<PictureVectors> {
  const images = scenes.map(imageOf);
  if (arm === "nearest-pixels") {
    const nearest = nearestByPixels(images, known.map(imageOf)).map((i) => known[i]?.caption ?? "");
    return { vectors: await tokenizer.embedText(nearest, BATCH) };
  }
  if (arm.endsWith("-embeddings")) return { vectors: await tokenizer.embed(images, BATCH) };
  if (!arm.endsWith("-codes")) throw unknownArm(arm, "an arm that ends in -embeddings or -codes, or nearest-pixels");
  return byCodes(scenes, tokenizer);
}

/** Vectors of the rebuilt embeddings, and how much of the codebook the pictures use. */
export async function byCodes(
  scenes: readonly Scene[],
  tokenizer: SceneArmOptions["tokenizer"],
): Promise<PictureVectors & { readonly metrics: Metrics }> {
  const codes = await codesOf(tokenizer, scenes.map(imageOf));
  const metrics = { "codes in use": codesInUse(codes, tokenizer.codebookSize) };
  return { vectors: await tokenizer.embedCodes(codes, BATCH), metrics };
}
