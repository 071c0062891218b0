/** Table 2 of arXiv 2307.08041: similarity of pictures decoded from codes, and from captions, to the originals. */
import { readFile } from "node:fs/promises";
import { given, item } from "../../base/item.ts";
import { hashText } from "../../base/rng.ts";
import type { RgbImage } from "../../image/index.ts";
import { hashOf } from "../../io/hash.ts";
import { bootstrap, type Interval } from "../metrics/bootstrap.ts";
import { clipSimilarities } from "../metrics/clip-similarity.ts";
import type { CaptionedPicture } from "./caption-sets.ts";
import type { PaperModel, Part } from "./paper-model.ts";
import { figures, lacking, type Section, type SeenSet } from "./section.ts";
import { remembered, VECTOR, type WorkOptions } from "./work.ts";

export async function pictureSection(set: SeenSet, model: PaperModel, work: WorkOptions): Promise<Section> {
  const lacks = lacking(model, "judge", "decode");
  if (lacks) return { count: 0, rows: {}, notRun: { pictures: lacks } };
  const judge = given(model.judge, "a judge");
  const pictures = (await set.see()).filter((one) => one.codes !== undefined);
  const originals = await remembered(
    `${set.name}: originals`,
    pictures,
    {
      ...VECTOR,
      keyOf: ({ hash }) => hashOf("original", judge.id, hash),
      compute: async (some) => judge.run(await Promise.all(some.map(({ path }) => readFile(path)))),
    },
    work,
  );
  const seedOf = ({ id }: CaptionedPicture): number => hashText(id);
  const judged = async <T>(
    label: string,
    items: readonly T[],
    seeds: readonly number[],
    part: Part<Decode<T>>,
  ): Promise<Float32Array[]> =>
    remembered(
      `${set.name}: ${label}`,
      items.map((item, i) => ({ item, seed: seeds[i] ?? 0 })),
      {
        ...VECTOR,
        keyOf: ({ item, seed }) => hashOf("decoded", part.id, judge.id, JSON.stringify(item), `${seed}`),
        compute: async (some) =>
          judge.run(
            await part.run(
              some.map(({ item }) => item),
              some.map(({ seed }) => seed),
            ),
          ),
      },
      { ...work, batch: 8 },
    );
  const seeds = pictures.map(seedOf);
  const fromCodes = await judged(
    "decoded",
    pictures.map(({ codes }) => given(codes, "codes")),
    seeds,
    given(model.decode, "decode"),
  );
  const own: Record<string, Record<string, Interval>> = {
    "from codes": { "CLIP similarity": bootstrap(clipSimilarities(fromCodes, originals)) },
  };
  const notRun: Record<string, string> = {};
  if (model.decodeTexts) {
    const captions = pictures.map((one) => one.captions[0] ?? "");
    const fromCaptions = await judged("from captions", captions, seeds, model.decodeTexts);
    own["from captions"] = { "CLIP similarity": bootstrap(clipSimilarities(fromCaptions, originals)) };
  } else notRun["from captions"] = model.lacks.decodeTexts ?? "";
  if (pictures.length > 1) {
    const others = [...fromCodes.slice(1), item(fromCodes, 0)];
    own["codes of another picture"] = { "CLIP similarity": bootstrap(clipSimilarities(others, originals)) };
  }
  return { count: pictures.length, rows: figures(`pictures ${set.name}`, own), notRun };
}

type Decode<T> = (items: readonly T[], seeds: readonly number[]) => Promise<readonly RgbImage[]>;
