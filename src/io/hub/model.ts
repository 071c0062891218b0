/** Models by folder or by their name on the Hub. */
import { storage } from "#storage";
import { SeedlingError, UsageError } from "../../base/errors.ts";
import { quote, reason } from "../../base/one-line.ts";
import { exists } from "../files.ts";

export interface DownloadOptions {
  /**
   * Progress in bytes of all files; what was there before counts as done. In a browser, where files are fetched when
   * they are first needed, it is called then, with the bytes of those that are being fetched.
   */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
  /** Which of the repository's files are needed. Default: all JSON and safetensors. */
  readonly wanted?: (paths: readonly string[]) => readonly string[];
}

/** "owner/name", optionally with "@revision"; default "main". */
export function isModelId(text: string): boolean {
  return /^\w[\w.-]*\/\w[\w.-]*(@\w[\w./-]*)?$/.test(text) && !text.includes("..");
}

/**
 * The folder of a model in the cache, downloaded if it is not there yet. Honors HF_HUB_CACHE, HF_HOME, HF_TOKEN,
 * HF_ENDPOINT and HF_HUB_OFFLINE. In a browser: the URL of its files on the Hub.
 * @throws UsageError if `id` is not a model's name; InputError if there is no such model or a hash is wrong; SetupError without
 * permission or network.
 */
export async function downloadModel(id: string, options: DownloadOptions = {}): Promise<string> {
  if (!isModelId(id)) throw new UsageError(`${quote(id)}: expected owner/name, with @revision if need be.`);
  const [name, revision = "main"] = id.split("@") as [string, string?];
  const { hub } = await import("#hub"); // loaded when it is needed: most commands need none
  return hub.download({ id, name, revision }, options);
}

/**
 * A folder stays what it is; the name of a model becomes its folder in the cache.
 * @throws as `downloadModel`; the message says that there is no such folder either.
 */
export async function modelFolder(idOrFolder: string, options: DownloadOptions = {}): Promise<string> {
  if (options.onProgress) storage.onDownload(options.onProgress);
  if (!isModelId(idOrFolder) || (await exists(idOrFolder))) return idOrFolder;
  try {
    return await downloadModel(idOrFolder, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!(error instanceof SeedlingError)) throw error;
    const message = `${idOrFolder}: no such folder here, and none from the Hub: ${reason(error, 400)}.`;
    throw Object.assign(error, { message });
  }
}
