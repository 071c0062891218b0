/** The JSON of `model.safetensors.index.json`: which shard holds which tensor. */

import { CheckpointError } from "../base/errors.ts";
import { members } from "../base/json-keys.ts";
import { quote, reason } from "../base/one-line.ts";
import { MAX_TENSORS } from "./safetensors-header.ts";

const MAX_SHARDS = 1000;
/** `metadata` gives the size of the model; other members are ignored. */
const MAX_OTHER_CHARACTERS = 1_000_000;

/** A file next to the index: no folder, and nothing that would break a message into lines. */
const SHARD = /^[^./\\:\p{Cc}\u2028\u2029][^/\\:\p{Cc}\u2028\u2029]*\.safetensors$/u;

/**
 * The shard of every tensor. The JSON is taken apart member by member, so that a hostile one fails before much is built.
 * @throws CheckpointError if it is damaged or names a shard outside the folder.
 */
export function parseShardIndex(json: Uint8Array, where: string): Map<string, string> {
  let map: Map<string, string> | undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(json);
    for (const [name, value] of members(text)) {
      if (name === "weight_map") map = parseWeightMap(value);
      else if (value.length > MAX_OTHER_CHARACTERS) throw new Error(`${quote(name)} has ${value.length} characters`);
      else JSON.parse(value);
    }
    if (!map) throw new Error("expected a weight_map, found none");
  } catch (error) {
    throw new CheckpointError(`${where}: damaged index (${reason(error)}). Copy the file again.`, [], { cause: error });
  }
  const shards = new Set<string>();
  for (const shard of map.values()) {
    if (!SHARD.test(shard)) {
      throw new CheckpointError(`${where}: expected shards in the same folder, got ${quote(shard)}.`);
    }
    if (shards.add(shard).size > MAX_SHARDS) {
      throw new CheckpointError(`${where}: expected at most ${MAX_SHARDS} shards, got more.`);
    }
  }
  return map;
}

function parseWeightMap(json: string): Map<string, string> {
  const map = new Map<string, string>();
  for (const [name, value] of members(json)) {
    if (!value.trimStart().startsWith('"')) throw new Error(`weight_map, ${quote(name)}: expected a file name`);
    if (map.size === MAX_TENSORS) throw new Error(`expected at most ${MAX_TENSORS} tensors, got more`);
    map.set(name, JSON.parse(value) as string);
  }
  return map;
}
