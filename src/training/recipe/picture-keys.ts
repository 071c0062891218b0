/** Keys of the stages that learn from captioned pictures. */
import { z } from "zod";
import { SCENE_KINDS } from "../../data/layout.ts";
import { count, key, share } from "./training-keys.ts";

const dataKeys = {
  nouns: key(z.int().min(0), "built-in scenes: the first n everyday nouns, 0 for the full table of 572"),
  warmupShare: key(
    share.optional(),
    "built-in scenes: share of the training, at its start, whose pictures show one kind of object",
  ),
  likeness: key(
    count.optional(),
    "built-in scenes: consecutive pictures that share an arrangement and a background, so that only their objects tell them apart",
  ),
  redrawn: key(
    share.optional(),
    "built-in scenes: share of the drawings that are redrawn: turned, in other colors, with dark lines",
  ),
  kinds: key(
    z.partialRecord(z.enum(SCENE_KINDS), z.number().min(0)).optional(),
    "built-in scenes: relative frequency of each kind of scene",
  ),
  hardNegatives: key(
    z.boolean().optional(),
    "built-in scenes: each picture comes with its caption and with a copy of it that one change makes false: sides exchanged, another count",
  ),
  changedPictures: key(
    share.optional(),
    "built-in scenes with `hardNegatives`: share of pictures that are followed by the picture of their changed caption",
  ),
  validation: key(count.default(500), "validation pictures; at most as many as there are", "count"),
};

/** `data` of a stage that reads pictures. */
export const pictureData = key(z.strictObject(dataKeys), "pictures");

/** `data` of a stage that reads cached features of pictures. */
export const cachedPictureData = key(
  z.strictObject({
    ...dataKeys,
    cached: key(
      count,
      "pictures whose frozen features are computed once and kept on disk; at most as many as there are",
      "count",
    ),
  }),
  "pictures",
);

export type PictureData = z.output<typeof pictureData> & { readonly cached?: number };
