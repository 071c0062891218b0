/** Models from the Hugging Face Hub. */
export { downloadFile, type FileOptions, type HubFileKind, localFile, parseHubFile } from "./file.ts";
export { type DownloadOptions, downloadModel, isModelId, modelFolder } from "./model.ts";
