/** How a model is opened. */
import type { DownloadOptions } from "../io/hub/index.ts";
import type { Device, RuntimeOptions } from "../runtime/index.ts";
import type { ProgramsOptions } from "../runtime/programs.ts";
import type { WeightDtype } from "./quantized/weights-as.ts";

export interface LoadOptions {
  /** Default "cpu", which is WebAssembly in a browser. */
  readonly device?: Device;
  /** Threads of one operation. Default 0: as many as there are cores, or one in a browser's worker of the caller's own. */
  readonly threads?: number;
  /** Called with the part that is being loaded; parts are compiled when they are first needed. */
  readonly onProgress?: (what: string) => void;
  /**
   * Called with how much of a model of the Hub has been downloaded, in bytes of all its files; in a browser, with how much
   * of the files that are being fetched, whenever a part is first needed.
   */
  readonly onDownload?: (doneBytes: number, totalBytes: number) => void;
  /** Stops a download; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface TokenizerLoadOptions extends LoadOptions {
  /**
   * What linear layers multiply with. Default: what the folder holds. "int8" rounds floats in memory, as `seedling
   * quantize` does on the disk, at every opening; "f32" refuses quantized weights. There is no "f16": folders that store
   * half precision are computed in float32.
   */
  readonly dtype?: WeightDtype;
}

/** The part that a download takes. */
export function downloadOptions({ onDownload, signal }: LoadOptions): DownloadOptions {
  return { onProgress: onDownload, signal };
}

/** The part that the runtime takes. */
export function runtimeOptions({ device, threads }: LoadOptions): RuntimeOptions {
  return { device, threads };
}

/** The part that programs take. */
export function programsOptions({ device, threads, onProgress }: LoadOptions): ProgramsOptions {
  return { device, threads, onCompile: (name) => onProgress?.(`compiling ${name}`) };
}
