/** Opens an index for searching or for changes, whatever keeps it: our own files, or LanceDB for names in `.lance`. */
import { InputError } from "../base/errors.ts";
import { kindOf } from "../io/files.ts";
import { listFolder } from "../io/folder.ts";
import { FlatIndex, FlatWriter } from "./flat-index.ts";
import { isLanceIndex, isLanceName, LANCE_NAMES } from "./lance/lance-files.ts";
import { LanceIndex } from "./lance/lance-index.ts";
import { LanceWriter } from "./lance/lance-writer.ts";
import { FLAT_NAMES, readIndex } from "./picture-index.ts";
import type { IndexAbout, IndexWriter, SearchIndex } from "./search-index.ts";

/** @throws InputError if there is no index, or a damaged one; SetupError if LanceDB keeps it and is not installed */
export async function openIndex(folder: string): Promise<SearchIndex> {
  return (await isLanceIndex(folder)) ? LanceIndex.open(folder) : new FlatIndex(await readIndex(folder));
}

/**
 * @param about the model that computes new entries; that of an index that is there is `before` of the result
 * @param rebuild leaves out what the index has
 * @throws InputError if the folder holds anything else, or a damaged index
 */
export async function openIndexWriter(
  folder: string,
  about: Omit<IndexAbout, "width">,
  rebuild = false,
): Promise<IndexWriter> {
  const names = (await kindOf(folder)) === "folder" ? await listFolder(folder) : [];
  const other = names.find((name) => ![...FLAT_NAMES, ...LANCE_NAMES].includes(name));
  if (other !== undefined)
    throw new InputError(
      `${folder}: expected an index of pictures or a new folder, got one with ${other} in it. Name another.`,
    );
  const lance = names.length === 0 ? isLanceName(folder) : await isLanceIndex(folder);
  const Writer = lance ? LanceWriter : FlatWriter;
  return Writer.open(folder, about, rebuild || names.length === 0);
}
