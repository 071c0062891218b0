/** Paths of files, and URLs in a browser: what `node:path` is elsewhere. */
import { storage } from "#storage";

/** One path from several parts, without "." and ".." where they can be resolved. */
export function join(...parts: readonly string[]): string {
  return storage.join(...parts);
}

/** The folder that a path is in. */
export function dirname(path: string): string {
  return storage.dirname(path);
}

/** The last part of a path. */
export function basename(path: string): string {
  return storage.basename(path);
}

/** The path of a file that belongs to this package, from `new URL("…", import.meta.url)`. */
export function packagePath(url: URL): string {
  return storage.fromUrl(url);
}
