/** The files of a folder and of the folders in it, each once, wherever links lead. */

import { kindOf, realPath } from "./files.ts";
import { listFolder } from "./folder.ts";
import { basename, dirname, join } from "./paths.ts";

export interface FolderFile {
  /** Relative to the folder, with "/" on every system. */
  readonly name: string;
  /** False for a pipe, a socket or a device, which must not be opened like a file. */
  readonly regular: boolean;
}

/**
 * Sorted by code units, hidden names left out. A folder that several links lead to is visited once, under its own name
 * if that is inside `folder`; so links that form a circle end. A link that leads nowhere counts as a file.
 *
 * @throws SetupError or InputError if `folder` or a folder in it cannot be read.
 */
export async function walkFolder(folder: string): Promise<FolderFile[]> {
  const found: FolderFile[] = [];
  const visited = new Set<string>();
  /** Linked folders wait until the real ones have been seen. */
  const linked: string[] = [];

  async function visit(under: string, real: string): Promise<void> {
    if (visited.has(real)) return;
    visited.add(real);
    for (const entry of await listFolder(join(folder, under))) {
      if (entry.startsWith(".")) continue;
      const name = under === "" ? entry : `${under}/${entry}`;
      const kind = await kindOf(join(folder, name));
      if (kind !== "folder") found.push({ name, regular: kind !== "other" });
      else if ((await realPath(join(folder, name))) === join(real, entry)) await visit(name, join(real, entry));
      else linked.push(name);
    }
  }

  await visit("", await realPath(folder));
  for (let name = linked.shift(); name !== undefined; name = linked.shift())
    await visit(name, await realPath(join(folder, name)));
  return found.sort((a, b) => byCode(a.name, b.name));
}

/** Sorted paths without those that lead to the same file through a link between folders; the shortest names stay. */
export async function onceEach(paths: readonly string[]): Promise<string[]> {
  const kept = new Map<string, string>();
  for (const path of [...paths].sort((a, b) => a.length - b.length || byCode(a, b))) {
    const place = join(await realPath(dirname(path)).catch(() => dirname(path)), basename(path));
    if (!kept.has(place)) kept.set(place, path);
  }
  return [...kept.values()].sort(byCode);
}

/** Independent of the machine's language, unlike localeCompare. */
export const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
