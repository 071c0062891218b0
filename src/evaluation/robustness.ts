/** How well codes and retrieval withstand disturbances of pictures. */
import { entry, item } from "../base/item.ts";
import type { SceneSource } from "../data/index.ts";
import type { RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { DISTURBANCES } from "./disturbances.ts";
import { retrieval } from "./metrics/retrieval.ts";
import { imageOf } from "./scores.ts";

export interface RobustnessScores {
  /** Percent of codes that equal those of the undisturbed picture. */
  readonly codesKept: number;
  /** R@1 of captions by pictures, percent, by embeddings and by codes. */
  readonly embeddingsR1: number;
  readonly codesR1: number;
}

/** By disturbance, `none` first. @param count scenes, and candidates of retrieval */
export async function robustnessScores(
  tokenizer: Pick<SeedTokenizer, "embed" | "embedText" | "encode" | "embedCodes">,
  source: SceneSource,
  count: number,
  onProgress?: (what: string, done: number, total: number) => void,
): Promise<Record<string, RobustnessScores>> {
  const batch = { batch: 64 };
  const drawn = Array.from({ length: count }, (_, i) => ({ source, plan: source.plan(i) }));
  const scenes = drawn.map(({ plan }) => source.draw(plan));
  const images = scenes.map(imageOf);
  const captions = scenes.map(({ caption }) => caption);
  const texts = await tokenizer.embedText(captions, batch);
  let codes: readonly Int32Array[] | undefined;
  const score = async (pictures: readonly RgbImage[]): Promise<RobustnessScores> => {
    const own = (await tokenizer.encode(pictures, batch)).map((one) => one.codes);
    codes ??= own;
    const embedded = retrieval(await tokenizer.embed(pictures, batch), texts, captions);
    const recalled = retrieval(await tokenizer.embedCodes(own, batch), texts, captions);
    const [embeddingsR1, codesR1] = [embedded.imageToText.r1, recalled.imageToText.r1];
    return { codesKept: keptPercent(own, codes), embeddingsR1, codesR1 };
  };
  const names = Object.keys(DISTURBANCES);
  const scores: Record<string, RobustnessScores> = { none: await score(images) };
  for (const [i, name] of names.entries()) {
    onProgress?.(name, i, names.length);
    const change = entry(DISTURBANCES, name);
    const changed: RgbImage[] = [];
    for (const [n, image] of images.entries()) changed.push(await change(image, item(drawn, n)));
    scores[name] = await score(changed);
  }
  return scores;
}

function keptPercent(codes: readonly Int32Array[], before: readonly Int32Array[]): number {
  let [kept, all] = [0, 0];
  for (const [i, own] of codes.entries())
    for (const [t, code] of own.entries()) {
      all++;
      if (code === before[i]?.[t]) kept++;
    }
  return (100 * kept) / all;
}
