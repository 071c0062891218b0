/** Minimal pairs: whether a model prefers a picture's caption to one with a single change that makes it false. */
import { entry, item } from "../base/item.ts";
import { type MinimalPair, minimalPairs, type Scene, type SceneSource } from "../data/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { captionCosine, minimalPairAccuracy, type ScoredPair } from "./metrics/minimal-pairs.ts";
import { unitRows } from "./metrics/retrieval.ts";
import { imageOf } from "./scores.ts";

export interface PairScores {
  readonly pairs: number;
  /** Percent right; chance is 50. */
  readonly embeddings: number;
  readonly codes: number;
  /** Mean cosine of both captions. */
  readonly captionCosine: number;
}

/** By kind of change. @param perKind pairs of each kind; rare kinds may have fewer */
export async function pairScores(
  tokenizer: Pick<SeedTokenizer, "embed" | "embedText" | "encode" | "embedCodes">,
  source: SceneSource,
  perKind: number,
): Promise<Record<string, PairScores>> {
  const pairs = [...minimalPairs(source, { perKind })];
  const batch = { batch: 64 };
  const scenes = [...new Set(pairs.map(({ scene }) => scene))];
  const images = scenes.map(imageOf);
  const codes = (await tokenizer.encode(images, batch)).map((one) => one.codes);
  const embedded = byKey(scenes, await tokenizer.embed(images, batch));
  const recalled = byKey(scenes, await tokenizer.embedCodes(codes, batch));
  const captions = [...new Set(pairs.flatMap(({ scene, wrong }) => [scene.caption, wrong]))];
  const texts = byKey(captions, await tokenizer.embedText(captions, batch));
  const scored = (pictures: ReadonlyMap<Scene, Float32Array>): ScoredPair[] =>
    pairs.map(({ kind, scene, wrong }) => {
      return { kind, image: entry(pictures, scene), text: entry(texts, scene.caption), wrong: entry(texts, wrong) };
    });
  const [byEmbeddings, byCodes] = [scored(embedded), scored(recalled)];
  const [seeing, recalling] = [minimalPairAccuracy(byEmbeddings), minimalPairAccuracy(byCodes)];
  const cosines = captionCosine(byEmbeddings);
  const count = (kind: string): number => pairs.filter((pair: MinimalPair) => pair.kind === kind).length;
  return Object.fromEntries(
    Object.keys(seeing).map((kind) => {
      const [embeddings, codes, cosine] = [seeing, recalling, cosines].map((scores) => entry(scores, kind));
      return [kind, { pairs: count(kind), embeddings, codes, captionCosine: cosine } as PairScores];
    }),
  );
}

const unit = (row: Float32Array): Float32Array => item(unitRows(row, row.length), 0);

/** Rows by their keys, as unit vectors. */
function byKey<K>(keys: readonly K[], rows: readonly Float32Array[]): Map<K, Float32Array> {
  return new Map(keys.map((key, i) => [key, unit(item(rows, i))]));
}
