/** Model folders that a page may fetch to compute in the browser: what is in them, with hashes, as `files.json` lists it. */
import { fileSize, realPath } from "../io/files.ts";
import { fileSha256 } from "../io/hash.ts";
import { join } from "../io/paths.ts";
import { walkFolder } from "../io/walk.ts";

export interface FolderListing {
  readonly format: "seedling-files-1";
  readonly files: readonly { readonly path: string; readonly sizeBytes: number; readonly sha256: string }[];
}

/** What a browser can hold. */
const MOST_BYTES = 1e9;
const WANTED = /\.(json|safetensors)$/;
export const LISTING = "files.json";

/**
 * The model's files in a folder; undefined if it is not a model folder, or too large for a browser.
 * @param links whether files count that links out of the folder lead to, as in the cache of the Hub
 */
export async function modelFilesOf(folder: string, links: boolean): Promise<readonly string[] | undefined> {
  const found = (await walkFolder(folder).catch(() => [])).filter(({ regular }) => regular);
  const wanted = found.map(({ name }) => name).filter((name) => WANTED.test(name) && name !== LISTING);
  const root = await realPath(folder).catch(() => folder);
  const own = await Promise.all(wanted.map(async (name) => links || (await isBelow(join(folder, name), root))));
  const names = wanted.filter((_, i) => own[i]);
  if (!names.includes("config.json")) return undefined;
  const sizes = await Promise.all(names.map((name) => fileSize(join(folder, name))));
  return sizes.reduce((sum, size) => sum + size, 0) <= MOST_BYTES ? names : undefined;
}

async function isBelow(path: string, root: string): Promise<boolean> {
  return (await realPath(path)).startsWith(join(root, "/"));
}

/** Reads all files for their hashes. */
export async function listingOf(folder: string, names: readonly string[]): Promise<FolderListing> {
  const files = [];
  for (const path of names) {
    const file = join(folder, path);
    files.push({ path, sizeBytes: await fileSize(file), sha256: await fileSha256(file) });
  }
  return { format: "seedling-files-1", files };
}
