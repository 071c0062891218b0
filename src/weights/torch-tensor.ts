/** Tensors as torch.save describes them: views of storages. */

import type { StoredDtype } from "./dtypes.ts";
import type { ZipEntry } from "./zip.ts";

/** A tensor as the pickle describes it: a view of a storage. Strides and offset count elements. */
export class TorchTensor {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly begin: number;
  readonly storage: Storage;
  constructor(storage: Storage, begin: number, shape: readonly number[], strides: readonly number[]) {
    this.dtype = storage.dtype;
    this.shape = shape;
    this.strides = strides;
    this.begin = begin;
    this.storage = storage;
  }
}

/** One record of the archive. */
export interface Storage {
  readonly key: string;
  readonly dtype: StoredDtype;
  /** Elements. */
  readonly length: number;
  readonly entry: ZipEntry;
}
