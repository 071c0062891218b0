/** The pictures of a data set: found by the paths that its list has, wherever its owner unpacked them. */
import { readdir } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { fileError } from "../../io/files.ts";

/** Folders below the named one that are searched; a data set has one for each split. */
const MOST_FOLDERS = 64;

export class PictureFolder {
  readonly #paths = new Map<string, string[]>();

  /** Lists a folder, those in it, and those in its `images`. @throws SetupError if it cannot be read */
  static async open(folder: string): Promise<PictureFolder> {
    const found = new PictureFolder();
    const below = await found.#list(folder);
    for (const one of below.slice(0, MOST_FOLDERS)) {
      const deeper = await found.#list(one);
      if (/^images?$/i.test(basename(one))) for (const split of deeper.slice(0, MOST_FOLDERS)) await found.#list(split);
    }
    return found;
  }

  /** The file that a list calls `name`, such as "val2014/COCO_val2014_000000391895.jpg"; undefined if there is none. */
  find(name: string): string | undefined {
    const candidates = this.#paths.get(basename(name)) ?? [];
    const tail = sep + name.split("/").join(sep);
    return candidates.find((path) => path.endsWith(tail)) ?? candidates[0];
  }

  /** @returns the folders in it */
  async #list(folder: string): Promise<string[]> {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      throw fileError(error, folder);
    });
    for (const entry of entries) {
      if (entry.isDirectory()) continue;
      const known = this.#paths.get(entry.name) ?? [];
      this.#paths.set(entry.name, [...known, join(folder, entry.name)]);
    }
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
  }
}
