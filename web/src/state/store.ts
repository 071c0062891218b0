/** What the page keeps in the browser: choices, drawings, conversations. Nothing of it leaves the browser. */

const NAME = "seedling";

/** A value of local storage; whatever cannot be read or written falls back silently, as in private windows. */
export function remembered<T>(key: string, fallback: T): T {
  try {
    const text = localStorage.getItem(`${NAME}.${key}`);
    return text === null ? fallback : (JSON.parse(text) as T);
  } catch {
    return fallback;
  }
}

export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(`${NAME}.${key}`, JSON.stringify(value));
  } catch {
    // The storage is full or switched off; the page works without it.
  }
}

/** Keeps the newest `most` items of a list. */
export function rememberList<T>(key: string, item: T, most: number): readonly T[] {
  const list = [item, ...remembered<readonly T[]>(key, [])].slice(0, most);
  remember(key, list);
  return list;
}
