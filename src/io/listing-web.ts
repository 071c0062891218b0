/**
 * What a model folder at a URL holds: `files.json`, which `seedling serve` offers and `--static` writes. It saves the
 * requests that ask whether a file is there, and its hashes tell whether a kept or fetched file is the right one. A folder
 * without it works too.
 */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import { parseWith } from "../base/parse-with.ts";
import { fetchKept } from "./fetch-web.ts";
import { join } from "./url-paths.ts";

export interface ListedFile {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** By path below the folder. */
type Listing = ReadonlyMap<string, ListedFile>;

const parse = parseWith(
  z.object({
    format: z.literal("seedling-files-1"),
    files: z
      .array(
        z.object({
          path: z.string().min(1).max(500),
          sizeBytes: z.int().min(0),
          sha256: z.string().regex(/^[0-9a-f]{64}$/),
        }),
      )
      .max(10_000),
  }),
);

/** By folder; undefined for one without a listing. */
const listings = new Map<string, Promise<Listing | undefined>>();

/** Reads the listing of a folder, unless it or a folder above was looked at before. */
export async function lookForListing(folder: string): Promise<void> {
  const known = nearest(`${folder}/`) ?? folder;
  if (!listings.has(known)) listings.set(known, read(folder));
  await listings.get(known);
}

/** What the listing of the folder above says of a file: "absent" if it does not name it, undefined without a listing. */
export async function listedFile(url: string): Promise<ListedFile | "absent" | undefined> {
  const folder = nearest(url);
  const listing = folder === undefined ? undefined : await listings.get(folder);
  return listing && (listing.get(url.slice((folder ?? "").length + 1)) ?? "absent");
}

/** Whether the listing names files below a folder; undefined without a listing. */
export async function listsFolder(url: string): Promise<boolean | undefined> {
  const folder = nearest(`${url}/`);
  const listing = folder === undefined ? undefined : await listings.get(folder);
  if (!listing) return undefined;
  const below = url === folder ? "" : `${url.slice((folder ?? "").length + 1)}/`;
  return [...listing.keys()].some((path) => path.startsWith(below));
}

/** The innermost folder that was looked at and holds `url`. */
function nearest(url: string): string | undefined {
  return [...listings.keys()].filter((folder) => url.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length)[0];
}

async function read(folder: string): Promise<Listing | undefined> {
  const url = join(folder, "files.json");
  const blob = await fetchKept(url).catch(() => undefined); // whatever is wrong will show at the next file
  if (!blob) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(await blob.text());
  } catch (error) {
    throw new InputError(`${url}: expected JSON (${reason(error)}). Write the static files again.`);
  }
  return new Map(parse(json, url).files.map(({ path, ...file }) => [path, file]));
}
