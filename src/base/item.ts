/** Item `index` of a list that is known to have it. @throws RangeError if it does not */
export function item<T>(items: readonly T[], index: number): T {
  const found = items[index];
  if (found === undefined) throw new RangeError(`expected an index below ${items.length}, got ${index}.`);
  return found;
}
