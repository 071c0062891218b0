/** The file of an indexed picture, which may have vanished since. */
import { InputError } from "../base/errors.ts";
import { followLinks, readTarEntry, type TarEntry, tarFileEntries } from "../data/tar.ts";
import { MAX_PICTURE_BYTES } from "../image/index.ts";
import { kindOf, readFileBounded } from "../io/files.ts";

/** "shards/000.tar/a/1.png" */
const IN_TAR = /^(.*?\.tar)\/(.+)$/i;

/** The file that holds a picture: its own, or a tar. */
export async function holderOf(path: string): Promise<string | undefined> {
  for (const one of [path, IN_TAR.exec(path)?.[1]]) if (one !== undefined && (await kindOf(one)) === "file") return one;
  return undefined;
}

/** Bytes of the picture. @throws InputError if it no longer exists */
export async function readIndexed(path: string): Promise<Uint8Array> {
  const holder = await holderOf(path);
  if (holder === path) return readFileBounded(path, MAX_PICTURE_BYTES);
  if (holder !== undefined) {
    const entries = new Map<string, Omit<TarEntry, "read">>();
    for await (const { read: _, ...entry } of tarFileEntries(holder)) entries.set(entry.name, entry);
    const named = entries.get(path.slice(holder.length + 1));
    const entry = named && followLinks(entries, named);
    if (entry) return readTarEntry(holder, entry, MAX_PICTURE_BYTES);
  }
  throw new InputError(`${path}: no longer exists. Run \`seedling index\` again to leave it out.`);
}
