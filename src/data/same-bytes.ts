/** Which pictures are one file under several names. */

import { createHash } from "node:crypto";
import type { Source } from "./sources.ts";

/** Files that are read at once. */
const AT_ONCE = 32;

/**
 * Groups pictures with the same bytes; most groups are one picture. Only files of equal size are read, and a file that
 * cannot be read is a group of its own.
 */
export async function sameBytes(sources: readonly Source[]): Promise<Source[][]> {
  const groups: Source[][] = [];
  const bySize = grouped(sources.map((source) => [source.sizeBytes, source]));
  for (const equal of bySize.values()) {
    if (equal.length === 1) groups.push(equal);
    else groups.push(...grouped(await hashes(equal)).values());
  }
  return groups;
}

async function hashes(sources: readonly Source[]): Promise<[hash: string, source: Source][]> {
  const hashed: [string, Source][] = [];
  for (let start = 0; start < sources.length; start += AT_ONCE) {
    const some = sources.slice(start, start + AT_ONCE).map(async (source, i): Promise<[string, Source]> => {
      const bytes = await source.read().catch(() => undefined);
      const hash = bytes ? createHash("sha256").update(bytes).digest("hex") : `unreadable ${start + i}`;
      return [hash, source];
    });
    hashed.push(...(await Promise.all(some)));
  }
  return hashed;
}

function grouped<K>(entries: readonly (readonly [K, Source])[]): Map<K, Source[]> {
  const groups = new Map<K, Source[]>();
  for (const [key, source] of entries) {
    const group = groups.get(key);
    if (group) group.push(source);
    else groups.set(key, [source]);
  }
  return groups;
}
