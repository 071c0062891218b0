/** What a data set is gathered from: samples whose pictures have not been read yet, and the problems met on the way. */

import { SeedlingError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";

export type ProblemKind = "broken image" | "missing caption" | "broken caption file" | "broken tar" | "unused file";

/** Takes one line about `count` (default 1) problems of a kind. */
export type ReportProblem = (message: string, kind: ProblemKind, count?: number) => void;

/** A picture that has not been read yet. */
export interface Source {
  /** Path of the picture, or tar and key. */
  readonly key: string;
  readonly captions: readonly string[];
  /** Length and time of the last change of its file: another picture under the same name is another sample. */
  readonly stamp: string;
  /** Of the picture's file. */
  readonly sizeBytes: number;
  readonly read: () => Promise<Uint8Array>;
}

export const stampOf = ({ size, mtimeMs }: { size: number; mtimeMs: number }): string => `${size} ${mtimeMs}`;

/** Endings of files next to a picture that hold its caption, best first. */
export const CAPTION_ENDINGS: readonly string[] = ["txt", "caption", "json"];

export const MAX_CAPTION_BYTES = 1024 ** 2;

/** Any error as the one line that a report takes. */
export const problemLine = (error: unknown, where: string): string =>
  error instanceof SeedlingError ? error.message : `${where}: ${reason(error)}.`;

/** "a.txt", "a.txt and 3 more". */
export const firstOf = (names: readonly string[]): string =>
  names.length > 1 ? `${names[0]} and ${names.length - 1} more` : (names[0] ?? "");

/** "3 .heic, 2 .db", the most frequent kinds first, at most five of them. */
function countEndings(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    const ending = /\.[^./]{1,12}$/.exec(name)?.[0].toLowerCase() ?? "without an ending";
    counts.set(ending, (counts.get(ending) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a).map(([ending, count]) => `${count} ${ending}`);
  return sorted.length > 5 ? `${sorted.slice(0, 5).join(", ")}, ...` : sorted.join(", ");
}

/** "photos: left out 3 files of other kinds (2 .heic, 1 .db)." */
export const leftOutLine = (where: string, names: readonly string[]): string =>
  `${where}: left out ${names.length === 1 ? "1 file of another kind" : `${names.length} files of other kinds`} (${countEndings(names)}).`;
