/** The files of a folder and of the folders in it, each once, wherever links lead. */

import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileError } from "./files.ts";

export interface FolderFile {
  /** Relative to the folder, with "/" on every system. */
  readonly name: string;
  /** False for a pipe, a socket or a device, which must not be opened like a file. */
  readonly regular: boolean;
}

/**
 * Sorted by code units, hidden names left out. A folder that several links lead to is visited once, under its own name
 * if that lies inside `folder`; so links that form a circle end. A link that leads nowhere counts as a file.
 *
 * @throws SetupError if `folder` or a folder in it cannot be read.
 */
export async function walkFolder(folder: string): Promise<FolderFile[]> {
  const found: FolderFile[] = [];
  const visited = new Set<string>();
  /** Linked folders wait until the real ones have been seen. */
  const linked: string[] = [];

  async function visit(under: string): Promise<void> {
    const path = join(folder, under);
    const [real, entries] = await Promise.all([realpath(path), readdir(path, { withFileTypes: true })]).catch(
      (error) => {
        throw fileError(error, path);
      },
    );
    if (visited.has(real)) return;
    visited.add(real);
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      const name = under === "" ? entry.name : `${under}/${entry.name}`;
      if (entry.isDirectory()) await visit(name);
      else if (!entry.isSymbolicLink()) found.push({ name, regular: entry.isFile() });
      else {
        const target = await stat(join(folder, name)).catch(() => undefined);
        if (target?.isDirectory()) linked.push(name);
        else found.push({ name, regular: target === undefined || target.isFile() });
      }
    }
  }

  await visit("");
  for (let name = linked.shift(); name !== undefined; name = linked.shift()) await visit(name);
  return found.sort((a, b) => byCode(a.name, b.name));
}

/** Sorted paths without those that lead to the same file through a link between folders; the shortest names stay. */
export async function onceEach(paths: readonly string[]): Promise<string[]> {
  const kept = new Map<string, string>();
  for (const path of [...paths].sort((a, b) => a.length - b.length || byCode(a, b))) {
    const place = join(await realpath(dirname(path)).catch(() => dirname(path)), basename(path));
    if (!kept.has(place)) kept.set(place, path);
  }
  return [...kept.values()].sort(byCode);
}

/** Independent of the machine's language, unlike localeCompare. */
export const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
