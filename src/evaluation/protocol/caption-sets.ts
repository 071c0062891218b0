/**
 * Pictures with captions, in the forms in which the papers' test sets are published: Karpathy's splits of COCO and
 * Flickr30K, LAVIS' lists of the same, and NoCaps' validation set with its domains.
 */
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { parseWith } from "../../io/json-file.ts";
import { findList, goodEntries, id, type ListFile, onceEach, readList } from "./list-file.ts";
import { PictureFolder } from "./picture-folder.ts";
import { Problems, type ProblemTable } from "./problems.ts";

export interface CaptionedPicture {
  /** As the list has it. */
  readonly id: string;
  /** Path of the file. */
  readonly path: string;
  readonly captions: readonly string[];
  /** NoCaps: "in-domain", "near-domain", "out-domain". */
  readonly domain?: string;
}

export interface CaptionSet {
  readonly name: "coco" | "flickr" | "nocaps";
  readonly list: ListFile;
  /** Pictures of the published test set. */
  readonly expected: number;
  readonly pictures: readonly CaptionedPicture[];
  readonly problems: Problems;
}

export interface SetOptions {
  readonly onProblem?: (kind: string, name: string) => void;
  /** Only the first n pictures. */
  readonly limit?: number;
}

interface Entry {
  readonly id: string;
  readonly file: string;
  readonly captions: readonly string[];
  readonly domain?: string;
}

const LISTS = {
  coco: { names: ["dataset_coco.json", "coco_karpathy_test.json"], expected: 5000 },
  flickr: { names: ["dataset_flickr30k.json", "flickr30k_test.json"], expected: 1000 },
  nocaps: { names: ["nocaps_val_4500_captions.json"], expected: 4500 },
} as const;

const karpathy = z.object({ images: z.array(z.unknown()), dataset: z.string() });
const karpathyEntry = z.object({
  filename: z.string().min(1),
  filepath: z.string().optional(),
  split: z.string(),
  sentences: z.array(z.object({ raw: z.string() })),
});
const lavisEntry = z.object({
  image: z.string().min(1),
  caption: z.union([z.string().transform((one) => [one]), z.array(z.string())]),
});
const nocaps = z.object({ images: z.array(z.unknown()), annotations: z.array(z.unknown()) });
const nocapsImage = z.object({
  id,
  file_name: z.string().min(1),
  domain: z.enum(["in-domain", "near-domain", "out-domain"]),
});
const nocapsCaption = z.object({ image_id: id, caption: z.string() });

const parseNocaps = parseWith(nocaps);

/** @throws InputError if there is no list or it is of another form; SetupError if the folder cannot be read */
export async function openCaptionSet(
  name: CaptionSet["name"],
  folder: string,
  options: SetOptions = {},
): Promise<CaptionSet> {
  const problems = new Problems(options.onProblem);
  const { names, expected } = LISTS[name];
  const path = await findList(folder, names);
  const { json, file } = await readList(path);
  const entries = name === "nocaps" ? nocapsEntries(json, path, problems) : splitEntries(json, path, problems);
  const once = onceEach(entries, (entry) => entry.id, "duplicate pictures", problems).slice(0, options.limit);
  const found = await PictureFolder.open(folder);
  const pictures = once.flatMap((entry): CaptionedPicture[] => {
    const captions = entry.captions.filter((caption) => caption.trim() !== "");
    for (let i = captions.length; i < entry.captions.length; i++) problems.add("empty captions", entry.id);
    const where = found.find(entry.file);
    if (captions.length === 0) problems.add("pictures without captions", entry.id);
    else if (!where) problems.add("missing pictures", entry.file);
    else return [{ id: entry.id, path: where, captions, domain: entry.domain }];
    return [];
  });
  if (pictures.length === 0)
    throw new InputError(`${folder}: expected pictures of ${file.name}, found none. ${told(problems.table())}`);
  return { name, list: file, expected, pictures, problems };
}

/** "missing pictures: 3 (a.jpg, b.jpg, c.jpg)". */
function told(problems: ProblemTable): string {
  const kinds = Object.entries(problems).map(([kind, { count, first }]) => `${kind}: ${count} (${first.join(", ")})`);
  return kinds.length > 0 ? `${kinds.join("; ")}.` : "Is it the right folder?";
}

/** The test split of a Karpathy file, or all of a LAVIS list. */
function splitEntries(json: unknown, where: string, problems: Problems): Entry[] {
  if (Array.isArray(json))
    return goodEntries(json, lavisEntry, where, problems).map(({ image, caption }) => ({
      id: image,
      file: image,
      captions: caption,
    }));
  const file = karpathy.safeParse(json);
  if (!file.success)
    throw new InputError(
      `${where}: expected Karpathy's { images, dataset } or LAVIS' list of { image, caption }, got neither. Use the published file.`,
    );
  return goodEntries(file.data.images, karpathyEntry, where, problems)
    .filter(({ split }) => split === "test")
    .map(({ filename, filepath, sentences }) => {
      const name = filepath ? `${filepath}/${filename}` : filename;
      return { id: name, file: name, captions: sentences.map(({ raw }) => raw) };
    });
}

function nocapsEntries(json: unknown, where: string, problems: Problems): Entry[] {
  const { images, annotations } = parseNocaps(json, where);
  const captions = new Map<string, string[]>();
  const listed = goodEntries(images, nocapsImage, `${where} images`, problems);
  const known = new Set(listed.map((image) => image.id));
  for (const { image_id, caption } of goodEntries(annotations, nocapsCaption, `${where} annotations`, problems)) {
    if (known.has(image_id)) captions.set(image_id, [...(captions.get(image_id) ?? []), caption]);
    else problems.add("captions of unknown pictures", image_id);
  }
  return listed.map(({ id, file_name, domain }) => ({ id, file: file_name, captions: captions.get(id) ?? [], domain }));
}
