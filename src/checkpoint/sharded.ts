/** Safetensors split over several files: `model.safetensors.index.json` says which file holds which tensor. */

import { dirname, join } from "node:path";
import { z } from "zod";
import { CheckpointError } from "../errors.ts";
import { parseWith, readJsonFile } from "../json-file.ts";
import { quote } from "../one-line.ts";
import { openSafetensors, type SafetensorsFile } from "./safetensors.ts";
import type { SafetensorsInfo } from "./safetensors-header.ts";

const MAX_INDEX_BYTES = 50e6;
const MAX_SHARDS = 1000;

const parseIndex = parseWith(
  z.object({ weight_map: z.record(z.string(), z.string()), metadata: z.record(z.string(), z.unknown()).optional() }),
);

/**
 * Opens every shard of an index as one file. Tensors that the index does not name are left out.
 * @throws SetupError if a shard is missing; CheckpointError if a shard's name leaves the folder or lacks its tensors.
 */
export async function openShardedSafetensors(indexPath: string): Promise<SafetensorsFile> {
  const { weight_map: map } = parseIndex(await readJsonFile(indexPath, MAX_INDEX_BYTES), indexPath);
  const names = [...new Set(Object.values(map))].sort();
  const outside = names.find((name) => !/^[^./\\:][^/\\:]*\.safetensors$/.test(name));
  if (outside !== undefined) {
    throw new CheckpointError(`${indexPath}: expected shards in the same folder, got ${quote(outside)}.`);
  }
  if (names.length > MAX_SHARDS) {
    throw new CheckpointError(`${indexPath}: expected at most ${MAX_SHARDS} shards, got ${names.length}.`);
  }
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
  map: Readonly<Record<string, string>>,
  shards: ReadonlyMap<string, SafetensorsFile>,
  close: () => Promise<void>,
): SafetensorsFile {
  const tensors = new Map<string, SafetensorsInfo>();
  const missing: string[] = [];
  for (const [name, shard] of Object.entries(map)) {
    const info = shards.get(shard)!.tensors.get(name);
    if (info) tensors.set(name, info);
    else missing.push(`${quote(name)} is not in ${shard}`);
  }
  if (missing.length > 0) {
    const more = missing.length > 3 ? `; and ${missing.length - 3} more` : "";
    throw new CheckpointError(`${path}: ${missing.slice(0, 3).join("; ")}${more}.`, missing);
  }
  const metadata = new Map([...shards.values()].flatMap((shard) => [...shard.metadata]));
  const shardOf = (name: string): SafetensorsFile => {
    if (!tensors.has(name)) throw new CheckpointError(`${path}: expected a tensor ${quote(name)}, found none.`);
    return shards.get(map[name]!)!;
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
