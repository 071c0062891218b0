/** Where tensors are in their files, as ONNX Runtime maps them: names relative to one folder, links resolved. */
import { CheckpointError } from "../../base/errors.ts";
import { realPath } from "../../io/files.ts";
import { basename, dirname } from "../../io/paths.ts";
import type { TensorInfo } from "../index.ts";

export interface Place {
  /** Relative to the folder. */
  readonly file: string;
  readonly offset: number;
  readonly byteLength: number;
}

export interface Places {
  readonly folder: string;
  readonly of: (info: TensorInfo) => Place;
}

/**
 * ONNX Runtime does not follow links out of a folder, so it is given the real one. `path` is what messages name.
 * @throws CheckpointError if the files are in several folders.
 */
export async function placesOf(path: string, tensors: Iterable<TensorInfo>): Promise<Places> {
  const files = new Set([...tensors].map(({ file }) => file));
  const real = new Map(await Promise.all([...files].map(async (file) => [file, await realPath(file)] as const)));
  const folders = new Set([...real.values()].map((file) => dirname(file)));
  if (folders.size > 1) throw new CheckpointError(`${path}: expected all shards in one folder, got ${folders.size}.`);
  return {
    folder: [...folders][0] ?? dirname(path),
    of: ({ file, offset = 0, byteLength }) => ({ file: basename(real.get(file) ?? file), offset, byteLength }),
  };
}
