/** Models from the Hugging Face Hub. */
export { type DownloadOptions, downloadModel, isModelId, modelFolder } from "./download.ts";
export { downloadFile, localFile, parseHubFile } from "./file.ts";
