/** Where models are fetched from: the cache and the Hub in Node (`hub-node.ts`), URLs in a browser (`hub-web.ts`). */
import type { DownloadOptions } from "./model.ts";

export interface ModelName {
  /** As a person wrote it, for messages. */
  readonly id: string;
  /** "owner/name". */
  readonly name: string;
  readonly revision: string;
}

export interface Hub {
  /** The folder with the files of a model. */
  download(model: ModelName, options: DownloadOptions): Promise<string>;
}
