/** Causal embeddings of built-in scenes, kept in the run folder: what a language model sees of pictures without codes. */
import { join } from "node:path";
import type { SceneSource } from "../../data/scenes.ts";
import type { SeedTokenizer } from "../../image-tokenizer/seed-tokenizer.ts";
import { hashOf } from "../../io/hash.ts";
import type { Work } from "../loop/loop.ts";
import { joinRows, namedValue } from "../loop/values.ts";
import { cacheFeatures, type FeatureCache } from "./feature-cache.ts";
import { type Picture, take } from "./pictures.ts";
import { scenePictures } from "./scenes.ts";

export interface PictureFeatures {
  /** Hash of some of the numbers: names the network. */
  readonly identity: string;
  /** Vectors of a picture, and their width. */
  readonly queries: number;
  readonly width: number;
  /** f32 [rows.length Q W]; zeros for undefined. */
  of(split: "train" | "validation", rows: readonly (number | undefined)[]): Promise<Float32Array>;
  close(): Promise<void>;
}

interface Scenes {
  readonly source: SceneSource;
  readonly count: number;
}

/** Pictures whose embeddings name the network. */
const PROBED = 4;

export async function sceneFeatures(
  tokenizer: SeedTokenizer,
  root: string,
  { signal, onProgress }: Work,
  scenes: Readonly<Record<"train" | "validation", Scenes>>,
): Promise<PictureFeatures> {
  const Q = tokenizer.codesPerImage;
  const width = tokenizer.config.qformer.hidden;
  const compute = async (pictures: readonly Picture[]) => {
    const rows = await tokenizer.causalEmbeddings(pictures.map(({ image }) => image));
    const data = joinRows(rows.map((row) => ({ shape: [1, Q, width], data: row })));
    return { y: { shape: [rows.length, Q, width], data } };
  };
  const probe = await compute(await take(scenePictures(scenes.train.source), 0, PROBED));
  const identity = hashOf("causal embeddings", probe.y.data);
  const cached = ({ source, count }: Scenes): Promise<FeatureCache> =>
    cacheFeatures({
      ...{ folder: join(root, "features"), pictures: scenePictures(source), count, key: identity, compute },
      ...{ signal, onProgress },
    });
  const caches = { train: await cached(scenes.train), validation: await cached(scenes.validation) };
  return {
    ...{ identity, queries: Q, width },
    async of(split, rows) {
      const known = rows.map((row) => row ?? 0);
      const { values } = await caches[split].batch(known, ["y"]);
      const data = namedValue(values, "y").data as Float32Array;
      for (const [i, row] of rows.entries()) if (row === undefined) data.fill(0, i * Q * width, (i + 1) * Q * width);
      return data;
    },
    async close() {
      await Promise.all([caches.train.close(), caches.validation.close()]);
    },
  };
}
