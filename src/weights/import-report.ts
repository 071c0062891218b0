/** Options and report of an import of published weights. */

export interface FileReport {
  readonly path: string;
  /** Of a trainer's file: the key under which the tensors are. */
  readonly section?: string;
  /** Tensors of the file outside that section, in words. */
  readonly elsewhere?: readonly string[];
  /** Parts of the names that training wrappers added, and that were removed: `module.`. */
  readonly wrappers?: readonly string[];
  /** Names in the file. */
  readonly used: readonly string[];
  readonly ignored: readonly { readonly name: string; readonly why: string }[];
  /** Only for a file with a codebook and no tower, such as seed_quantizer.pt: what the published loader would report. */
  readonly published?: { readonly missing: number; readonly unexpected: number };
}

export interface ImportReport {
  readonly files: readonly FileReport[];
  /** Our names of what a complete model would have. */
  readonly missing: readonly string[];
  readonly misshaped: readonly string[];
  /** Tensors with NaN or infinite values, and how many. Known once the tensors were read. */
  readonly notFinite: readonly { readonly name: string; readonly count: number }[];
  readonly parameters: number;
}

export interface CopyOptions {
  /** What weights are stored as. Default: as they are. */
  readonly dtype?: "f32" | "f16" | "bf16" | undefined;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** The dtypes of safetensors by our names. */
export const STORED_AS = { f32: "F32", f16: "F16", bf16: "BF16" } as const;
