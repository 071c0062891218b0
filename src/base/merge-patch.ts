/** JSON Merge Patch: RFC 7386. */

export type Json = Readonly<Record<string, unknown>>;

/** `target` with what `patch` states: objects are merged key by key, `null` removes a key, anything else replaces. */
export function mergePatch(target: unknown, patch: Json): Json {
  const merged: Record<string, unknown> = { ...(isObject(target) ? target : {}) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = isObject(value) ? mergePatch(merged[name], value) : value;
  }
  return merged;
}

/** One patch that does what `first` and then `second` do. */
export function combinePatches(first: Json, second: Json): Json {
  const both: Record<string, unknown> = { ...first };
  for (const [name, value] of Object.entries(second)) {
    const before = both[name];
    both[name] = isObject(value) && isObject(before) ? combinePatches(before, value) : value;
  }
  return both;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
