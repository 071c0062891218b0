/** How a model is opened. */
import type { DownloadOptions } from "../io/hub/index.ts";
import type { Device, RuntimeOptions } from "../runtime/index.ts";
import type { WeightDtype } from "./quantized/weights-as.ts";

export interface LoadOptions {
  /** Default "cpu". */
  readonly device?: Device;
  /** Threads of one operation. Default 0: as many as there are cores. */
  readonly threads?: number;
  /** Told what is being loaded; parts are compiled when they are first needed. */
  readonly onProgress?: (what: string) => void;
  /** Told how much of a model of the Hub has come, in bytes of all its files. */
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
  return { ...(onDownload ? { onProgress: onDownload } : {}), ...(signal ? { signal } : {}) };
}

/** The part that the runtime takes. */
export function runtimeOptions({ device, threads }: LoadOptions): RuntimeOptions {
  return { ...(device ? { device } : {}), ...(threads === undefined ? {} : { threads }) };
}
