/** A line typed in `seedling chat`: a command, or words with paths of pictures among them. */
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../base/errors.ts";
import { quote, reason } from "../base/one-line.ts";

export const COMMANDS = ["draw", "image", "save", "seed", "reset", "help", "quit"] as const;

export type ChatLine =
  | { readonly kind: "command"; readonly name: (typeof COMMANDS)[number]; readonly rest: string }
  /** `text` without the paths; both empty for an empty line. */
  | { readonly kind: "words"; readonly text: string; readonly pictures: readonly string[] };

export interface LineOptions {
  /** Whether there is such a file. */
  readonly exists: (path: string) => boolean;
  /** Default: this system. On Windows a backslash is part of a path. */
  readonly windows?: boolean;
}

/** @throws UsageError for an unknown command */
export function parseChatLine(line: string, { exists, windows = process.platform === "win32" }: LineOptions): ChatLine {
  const trimmed = line.trim();
  const command = /^\/([a-z]+)(?:\s+(.*))?$/su.exec(trimmed);
  if (command && !exists(trimmed)) {
    const name = COMMANDS.find((one) => one === command[1]);
    if (!name) throw new UsageError(`/${command[1]}: no such command. /help lists them.`);
    return { kind: "command", name, rest: (command[2] ?? "").trim() };
  }
  return { kind: "words", ...findPictures(trimmed, exists, windows) };
}

/** 'in quotes', "in quotes", or with escaped white space: as terminals write the paths of files dragged into them. */
const WORD = /(?<=^|\s)(?:'([^']+)'|"([^"]+)"|((?:\\.|[^\s'"\\])+))(?=\s|$)/gu;
const WINDOWS_WORD = /(?<=^|\s)(?:'([^']+)'|"([^"]+)"|([^\s'"]+))(?=\s|$)/gu;
const PICTURE = /^(.*[^\s/\\]\.(?:png|jpe?g|webp|gif|avif))([?!.,;:]*)$/iu;

/**
 * Takes paths of pictures out of the words. A quoted path, or one with a folder, is always a path; a bare name is one if
 * the file exists.
 */
function findPictures(
  line: string,
  exists: (path: string) => boolean,
  windows: boolean,
): { text: string; pictures: string[] } {
  const pictures: string[] = [];
  const text = line.replace(windows ? WINDOWS_WORD : WORD, (word, single, double, bare) => {
    const quoted: string | undefined = single ?? double;
    const [, named, rest = ""] = PICTURE.exec(quoted ?? bare) ?? [];
    if (named === undefined || (quoted !== undefined && rest !== "")) return word;
    const path = plainPath(quoted ?? (windows ? named : named.replace(/\\(.)/gu, "$1")));
    if (quoted === undefined && !/[/\\]/.test(path) && !exists(path)) return word;
    pictures.push(path);
    return rest;
  });
  return { text: text.replace(/\s+/g, " ").trim(), pictures };
}

/** The path that all of `text` is, quoted, escaped or neither. @throws UsageError for an invalid file:// address */
export function onePath(text: string, windows: boolean = process.platform === "win32"): string {
  const [, single, double] = /^(?:'([^']+)'|"([^"]+)")$/u.exec(text) ?? [];
  const quoted = single ?? double;
  if (quoted !== undefined) return plainPath(quoted);
  return plainPath(windows ? text : text.replace(/\\(.)/gu, "$1"));
}

/** ~ and file:// as paths. */
function plainPath(path: string): string {
  if (path === "~" || /^~[/\\]/.test(path)) return join(homedir(), path.slice(1));
  if (!path.startsWith("file://")) return path;
  try {
    return fileURLToPath(path);
  } catch (error) {
    throw new UsageError(`${quote(path)}: expected the address of a file (${reason(error)}).`, { cause: error });
  }
}
