/** What a run depends on, by name: a run is resumed, and a finished one is used, only while all of it is the same. */
import { InputError } from "../../base/errors.ts";

/** What it is ("recipe", "data", "weights of clip") -> a hash of it. */
export type Identity = Readonly<Record<string, string>>;

/** @throws InputError naming the first part of `now` in which the run in `folder` differs */
export function expectSameRun(folder: string, before: Identity, now: Identity): void {
  const names = [...new Set([...Object.keys(now), ...Object.keys(before)])];
  const changed = names.find((name) => before[name] !== now[name]);
  if (changed !== undefined)
    throw new InputError(
      `${folder}: expected a run with the same ${changed}, got one with another. Remove the folder to train it again, or name another run folder.`,
    );
}
