/** Safetensors split over several files: `model.safetensors.index.json` says which file holds which tensor. */
import { CheckpointError } from "../base/errors.ts";
import { entry } from "../base/item.ts";
import { quote } from "../base/one-line.ts";
import { readFileBounded } from "../io/files.ts";
import { dirname, join } from "../io/paths.ts";
import { Problems } from "./problems.ts";
import { openSafetensors, type SafetensorsFile } from "./safetensors.ts";
import type { SafetensorsInfo } from "./safetensors-header.ts";
import { parseShardIndex } from "./shard-index.ts";

const MAX_INDEX_BYTES = 50e6;

/**
 * Opens every shard of an index as one file. Tensors that the index does not name are left out.
 * @throws InputError if a shard is missing; CheckpointError if a shard's name leaves the folder or a shard lacks its tensors.
 */
export async function openShardedSafetensors(indexPath: string): Promise<SafetensorsFile> {
  const map = parseShardIndex(await readFileBounded(indexPath, MAX_INDEX_BYTES), indexPath);
  const names = [...new Set(map.values())].sort();
  const shards = new Map<string, SafetensorsFile>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const name of names) shards.set(name, await openSafetensors(join(dirname(indexPath), name)));
    return combine(indexPath, map, shards, close);
  } catch (error) {
    await close();
    throw error;
  }
}

function combine(
  path: string,
  map: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, SafetensorsFile>,
  close: () => Promise<void>,
): SafetensorsFile {
  const tensors = new Map<string, SafetensorsInfo>();
  const missing = new Problems();
  for (const [name, shard] of map) {
    const info = entry(shards, shard).tensors.get(name);
    if (info) tensors.set(name, info);
    else missing.add(`${quote(name)} is not in ${shard}`);
    if (missing.full) break;
  }
  if (missing.list.length > 0) throw missing.error(path);
  const metadata = new Map([...shards.values()].flatMap((shard) => [...shard.metadata]));
  const shardOf = (name: string): SafetensorsFile => {
    if (!tensors.has(name)) throw new CheckpointError(`${path}: expected a tensor ${quote(name)}, found none.`);
    return entry(shards, entry(map, name));
  };
  return {
    path,
    metadata,
    tensors,
    readBytes: async (name) => shardOf(name).readBytes(name),
    read: async (name) => shardOf(name).read(name),
    readFloat32: async (name) => shardOf(name).readFloat32(name),
    close,
  };
}
