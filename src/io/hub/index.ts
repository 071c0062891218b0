/** Models from the Hugging Face Hub. */
export { type DownloadOptions, downloadModel, isModelId, modelFolder } from "./download.ts";
export { downloadFile, type FileOptions, type HubFileKind, localFile, parseHubFile } from "./file.ts";
