/** Checkpoints as a person names them: paths of this disk, and names on the Hub, which are downloaded. */
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { importableFiles } from "../image-decoder/hub-files.ts";
import { clipFiles, isClipRepository } from "../image-tokenizer/clip/hub-files.ts";
import { downloadModel, isModelId, localFile } from "../io/hub/index.ts";
import type { Report } from "./report.ts";

interface InputOptions {
  readonly report: Report;
  readonly signal?: AbortSignal;
}

/** The path of a checkpoint, or of owner/name/file.pt in the cache. */
export async function checkpointPath(name: string, { report, signal }: InputOptions): Promise<string> {
  const path = await localFile(name, downloading(name, report, signal));
  report.clear();
  return path;
}

/** The same for an import, which takes a whole model of diffusers or a CLIP too: owner/name. */
export async function importPath(name: string, options: InputOptions): Promise<string> {
  if (!isModelId(name) || (await isHere(name)) || (await isHere(dirname(name)))) return checkpointPath(name, options);
  const { report, signal } = options;
  const wanted = (paths: readonly string[]): string[] =>
    isClipRepository(paths) && !paths.includes("model_index.json") ? clipFiles(paths) : importableFiles(paths, name);
  const path = await downloadModel(name, { ...downloading(name, report, signal), wanted });
  report.clear();
  return path;
}

function downloading(name: string, report: Report, signal: AbortSignal | undefined) {
  const onProgress = (done: number, total: number): void =>
    report.progress(`downloading ${name}`, done, total, "bytes");
  return { onProgress, signal };
}

async function isHere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
