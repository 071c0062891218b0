/** Item `index` of a list that is known to have it. @throws RangeError if it does not */
export function item<T>(items: ArrayLike<T>, index: number): T {
  const found = items[index];
  if (found === undefined) throw new RangeError(`expected an index below ${items.length}, got ${index}.`);
  return found;
}

/** What a map or an object holds under a key that it is known to have. @throws RangeError if it does not */
export function entry<K, V>(from: ReadonlyMap<K, V>, key: K): V;
export function entry<V>(from: Readonly<Record<string, V>>, key: string): V;
export function entry<V>(from: ReadonlyMap<unknown, V> | Readonly<Record<string, V>>, key: unknown): V {
  const found = from instanceof Map ? from.get(key) : Object(from)[key as string];
  return given(found as V | undefined, `an entry of ${String(key)}`);
}

/** A value that is known to be there. @throws RangeError if it is not */
export function given<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new RangeError(`expected ${what}, found none.`);
  return value;
}
