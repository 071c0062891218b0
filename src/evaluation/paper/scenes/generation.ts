/** How near decoded pictures are to their originals, and which objects they still show. arXiv 2307.08041 table 2. */
import { isHeldOutConcept, type Scene } from "../../../data/index.ts";
import type { RgbImage } from "../../../image/index.ts";
import { foundObjects } from "../../language-scores.ts";
import { judgedPicture } from "../../metrics/judged-scenes.ts";
import { nounList } from "../../metrics/noun-list.ts";
import { nearestByPixels } from "../../metrics/pixel-neighbors.ts";
import { imageOf } from "../../scores.ts";
import { type Metrics, similarityMetric } from "./measure.ts";
import { BATCH, codesOf, type SceneArmOptions, sceneSets, trainingScenes, unknownArm } from "./sets.ts";

const ARMS = "codes-text, codes-image, codes-ours, caption, gill, original, flat, other-codes or nearest-pixels";

export async function generation(arm: string, options: SceneArmOptions): Promise<Record<string, Metrics>> {
  const known = arm === "nearest-pixels" ? trainingScenes(options).map(imageOf) : [];
  const results: Record<string, Metrics> = {};
  for (const { set, scenes } of sceneSets(options)) {
    options.onProgress?.(`${arm}, ${set}`);
    const pictures = await made(arm, scenes, known, options);
    if (set === "test") options.onPictures?.(pictures);
    results[set] = await pictureMetrics(pictures, scenes, options);
  }
  return results;
}

/** The pictures that an arm makes of scenes, or of their captions. */
async function made(
  arm: string,
  scenes: readonly Scene[],
  known: readonly RgbImage[],
  { tokenizer, gill, signal, onProgress }: SceneArmOptions,
): Promise<readonly RgbImage[]> {
  const onStep = (done: number, total: number): void => onProgress?.(arm, done, total);
  const settings = { seed: scenes.map((_, i) => i), signal, onStep };
  const captions = scenes.map(({ caption }) => caption);
  const originals = scenes.map(imageOf);
  if (arm === "caption") return tokenizer.decodeText(captions, settings);
  if (arm === "gill" && gill) return tokenizer.decodeFeatures(await gill.features(captions), settings);
  if (arm === "original") return originals;
  if (arm === "flat") return originals.map(flat);
  if (arm === "nearest-pixels") return nearestByPixels(originals, known).map((i) => known[i] as RgbImage);
  if (!arm.endsWith("-codes") && !arm.startsWith("codes-")) throw unknownArm(arm, ARMS);
  const codes = await codesOf(tokenizer, originals);
  if (arm === "other-codes") return tokenizer.decode([...codes.slice(1), ...codes.slice(0, 1)], settings);
  return tokenizer.decode(codes, settings);
}

/** @param scenes what the pictures are to show, in the same order */
export async function pictureMetrics(
  pictures: readonly RgbImage[],
  scenes: readonly Scene[],
  options: SceneArmOptions,
): Promise<Metrics> {
  const { tokenizer, judge = tokenizer, pictureJudge } = options;
  const originals = scenes.map(imageOf);
  const bySeedling = async (model: typeof tokenizer) =>
    similarityMetric(await model.clipImage(pictures, BATCH), await model.clipImage(originals, BATCH));
  return {
    "judge similarity": pictureJudge
      ? similarityMetric(await pictureJudge.embed(pictures), await pictureJudge.embed(originals))
      : await bySeedling(judge),
    "own similarity": await bySeedling(tokenizer),
    "objects found": await objectsFound(pictures, scenes, options),
  };
}

/** By the judge of pictures, else by the CLIP pair that compares them. A missing picture shows nothing. */
export async function objectsFound(
  pictures: readonly (RgbImage | undefined)[],
  scenes: readonly Scene[],
  { tokenizer, judge = tokenizer, pictureJudge, nouns }: SceneArmOptions,
): Promise<Metrics[string]> {
  if (!pictureJudge) {
    const list = nounList(nouns).filter((noun) => !isHeldOutConcept(noun));
    const here = pictures.flatMap((picture, i) => (picture ? [{ picture, scene: scenes[i]! }] : []));
    const found = await foundObjects(
      judge,
      here.map(({ picture }) => picture),
      here.map(({ scene }) => scene),
      list,
    );
    return { mean: (found * here.length) / Math.max(pictures.length, 1) };
  }
  const looked = (await pictureJudge.look(pictures.filter((one) => one !== undefined))).values();
  const rows = pictures.map((picture, i) => {
    const seen = picture ? looked.next().value! : { objects: [], background: ["white", "white"] as const };
    const { right, of } = judgedPicture(seen, scenes[i]!, pictureJudge.nouns).objectsFound;
    return [right, of];
  });
  return { rows, statistic: "ratio" };
}

/** The mean color of a picture, everywhere. */
function flat({ width, height, data }: RgbImage): RgbImage {
  const mean = [0, 1, 2].map(
    (c) => data.reduce((sum, value, i) => (i % 3 === c ? sum + value : sum), 0) / (width * height),
  );
  return { width, height, data: Uint8Array.from(data, (_, i) => Math.round(mean[i % 3] ?? 0)) };
}
