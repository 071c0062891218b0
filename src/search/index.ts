/** Indexes of pictures: made, brought up to date, and searched. */
export { type DuplicateGroup, duplicates } from "./duplicates.ts";
export { openIndex, openIndexWriter } from "./open-index.ts";
export type { IndexedPicture, PictureIndex } from "./picture-index.ts";
export { between } from "./query.ts";
export type {
  Filter,
  FoundPicture,
  IndexAbout,
  IndexChanges,
  IndexWriter,
  NewEntry,
  SearchIndex,
} from "./search-index.ts";
