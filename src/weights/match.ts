/** Does a checkpoint hold what a model needs? */

import { CheckpointError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import type { TensorInfo } from "./tensor-file.ts";

/** Names, each with what is wrong. */
export interface TensorMatch {
  readonly missing: readonly string[];
  /** In the file, but not asked for. */
  readonly extra: readonly string[];
  readonly misshaped: readonly { name: string; expected: readonly number[]; found: readonly number[] }[];
}

type Shapes = Iterable<readonly [string, readonly number[]]>;

export function matchTensors(found: ReadonlyMap<string, Pick<TensorInfo, "shape">>, expected: Shapes): TensorMatch {
  const missing: string[] = [];
  const misshaped: { name: string; expected: readonly number[]; found: readonly number[] }[] = [];
  const wanted = new Set<string>();
  for (const [name, shape] of expected) {
    wanted.add(name);
    const info = found.get(name);
    if (!info) missing.push(name);
    else if (info.shape.join() !== shape.join()) misshaped.push({ name, expected: shape, found: info.shape });
  }
  return { missing, extra: [...found.keys()].filter((name) => !wanted.has(name)), misshaped };
}

/** @throws CheckpointError listing every missing, misshaped and (unless they may be there) extra tensor at once. */
export function expectTensors(
  file: { path: string; tensors: ReadonlyMap<string, Pick<TensorInfo, "shape">> },
  expected: Shapes,
  { extra = false }: { extra?: boolean } = {},
): void {
  const match = matchTensors(file.tensors, expected);
  const problems = [
    ...match.missing.map((name) => `${quote(name)} is missing`),
    ...match.misshaped.map((m) => `${quote(m.name)}: expected [${m.expected.join()}], got [${m.found.join()}]`),
    ...(extra ? [] : match.extra.map((name) => `${quote(name)} is not part of the model`)),
  ];
  if (problems.length === 0) return;
  const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
  throw new CheckpointError(
    `${file.path}: ${problems.slice(0, 3).join("; ")}${more}. Do config.json and the weights belong together?`,
    problems,
  );
}
