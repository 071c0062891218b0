/** One file of a model on the Hub, as commands name it: owner/name/file.pt. */
import { InputError, SetupError } from "../../base/errors.ts";
import { exists } from "../files.ts";
import { dirname, join } from "../paths.ts";
import * as urlPaths from "../url-paths.ts";
import { type DownloadOptions, downloadModel, isModelId } from "./model.ts";

/** What a command reads; files of other kinds are not downloaded. */
export type HubFileKind = "checkpoint" | "gguf";
const ENDINGS: Readonly<Record<HubFileKind, RegExp>> = {
  checkpoint: /\.(safetensors|pt|pth|bin)$/,
  gguf: /\.gguf$/,
};

export interface FileOptions extends Omit<DownloadOptions, "wanted"> {
  /** Default "checkpoint". */
  readonly kind?: HubFileKind;
}

/** "owner/name/file.pt", or "owner/name@revision/folder/file.pt"; undefined if `text` is not such a name. */
export function parseHubFile(
  text: string,
  kind: HubFileKind = "checkpoint",
): { readonly id: string; readonly path: string } | undefined {
  const [, id = "", path = ""] = /^([^/]+\/[^/]+)\/(.+)$/.exec(text) ?? [];
  const plain = path.split("/").every((part) => /^\w[\w.+-]*$/.test(part));
  return isModelId(id) && plain && ENDINGS[kind].test(path) ? { id, path } : undefined;
}

/**
 * A file with tensors in the cache, downloaded if it is not there yet; a config.json next to it comes along, as it may say
 * what shapes do not tell.
 * @throws InputError if there is no such model or file; SetupError without permission or network.
 */
export async function downloadFile(
  { id, path }: { readonly id: string; readonly path: string },
  { kind = "checkpoint", ...options }: FileOptions = {},
): Promise<string> {
  const config = urlPaths.join(urlPaths.dirname(path), "config.json");
  const wanted = (paths: readonly string[]): string[] => {
    if (paths.includes(path)) return paths.includes(config) ? [path, config] : [path];
    const others = paths.filter((other) => ENDINGS[kind].test(other));
    const some = others.length > 0 ? others.slice(0, 5).join(", ") : "none";
    throw new InputError(`${id}: expected a file ${path}, found none. Its files of that kind: ${some}.`);
  };
  const file = join(await downloadModel(id, { ...options, wanted }), path);
  // The cache answers when the Hub is not asked or cannot be, and it may hold other files of the model.
  if (await exists(file)) return file;
  throw new SetupError(
    `${id}/${path}: not in the cache, and the Hub was not reached. Download it once with a network.`,
  );
}

/**
 * A path stays what it is; the name of a file on the Hub becomes its path in the cache. What is here goes first, and a
 * path whose first folder is here means one of this disk, even if it leads nowhere.
 */
export async function localFile(pathOrName: string, options: FileOptions = {}): Promise<string> {
  const named = parseHubFile(pathOrName, options.kind);
  return !named || (await exists(dirname(named.id))) ? pathOrName : downloadFile(named, options);
}
