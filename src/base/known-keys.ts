/** Settings that change what a model computes are honored or refused, never ignored: unknown keys of its files are errors. */
import { InputError } from "./errors.ts";
import { quote, show } from "./one-line.ts";

/**
 * @param known keys that are read elsewhere, and keys that change nothing
 * @throws InputError naming keys that are neither, unless their value is null, false or empty: off, or no value at all
 */
export function expectKnownKeys(
  settings: Iterable<readonly [key: string, value: unknown]>,
  where: string,
  known: (key: string) => boolean,
): void {
  const unknown = [...settings].filter(([key, value]) => !known(key) && !isNeutral(value));
  if (unknown.length === 0) return;
  const listed = unknown.slice(0, 3).map(([key, value]) => `${quote(key)} = ${show(value)}`);
  const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : "";
  throw new InputError(
    `${where}: expected known settings, got ${listed.join(", ")}${more}. Remove what does not change the model's results; the rest is not supported.`,
  );
}

function isNeutral(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
