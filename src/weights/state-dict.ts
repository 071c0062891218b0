/** Where in a trainer's file the model's tensors are, and what training wrappers have added to their names. */

import { CheckpointError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { quote } from "../base/one-line.ts";
import { TorchTensor } from "./torch-tensor.ts";

/** Keys under which trainers keep a model, best first: the weights that are trained, then their moving average. */
const SECTIONS: readonly string[] = [
  ...["model", "state_dict", "model_state_dict", "module", "net", "network", "params", "weights"],
  ...["model_ema", "state_dict_ema", "ema_state_dict", "params_ema", "ema"],
];
/** A section can hold a section: `{ "model": { "module": ... } }`. */
const MAX_DEPTH = 2;

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** The keys that lead to it, joined by "."; undefined if it is what was saved. */
  readonly section: string | undefined;
  /** In words, the tensors of the file that are not in it: `"best_acc1"`, `12 under "ema"`. */
  readonly elsewhere: readonly string[];
}

/** How many further dicts with tensors are named. */
const MAX_NAMED = 8;

/** A dict of the file that holds tensors itself. */
interface Candidate {
  readonly path: readonly string[];
  readonly tensors: ReadonlyMap<string, TorchTensor>;
}

/**
 * The dict of tensors in what was saved: the first known section that has any, the root itself if that has more, or else
 * the only dict with tensors.
 * @throws CheckpointError if there is none, or several under names that are not known.
 */
export function findStateDict(root: unknown, where: string): StateDict {
  const found: Candidate[] = [];
  collect(root, [], found, new Set());
  const rank = ({ path }: Candidate): number =>
    path.length > 0 && path.every((key) => SECTIONS.includes(key))
      ? SECTIONS.indexOf(item(path, 0))
      : Number.POSITIVE_INFINITY;
  const own = found.find(({ path }) => path.length === 0);
  const known = found
    .filter((one) => Number.isFinite(rank(one)))
    .sort((a, b) => rank(a) - rank(b) || a.path.length - b.path.length);
  const best = known[0] && !(own && own.tensors.size > known[0].tensors.size) ? known[0] : own;
  const chosen = best ?? (found.length === 1 ? found[0] : undefined);
  if (!chosen) {
    const got =
      found.length === 0
        ? "none"
        : found
            .map(({ path }) => quote(path.join(".")))
            .slice(0, 5)
            .join(", ");
    throw new CheckpointError(
      `${where}: expected a dict of tensors, or one under ${SECTIONS.slice(0, 4).join(", ")} or the like; found ${got}.`,
    );
  }
  const section = chosen.path.length > 0 ? chosen.path.join(".") : undefined;
  const others = found.filter((one) => one !== chosen);
  const elsewhere = others.slice(0, MAX_NAMED).flatMap(inWords);
  if (others.length > MAX_NAMED) elsewhere.push(`${others.length - MAX_NAMED} more dicts of tensors`);
  return { tensors: chosen.tensors, section, elsewhere };
}

/** A dict that is referred to many times is visited once. */
function collect(value: unknown, path: readonly string[], found: Candidate[], seen: Set<unknown>): void {
  if (!(value instanceof Map) || seen.has(value)) return;
  seen.add(value);
  const tensors = new Map<string, TorchTensor>();
  for (const [key, item] of value) {
    if (typeof key !== "string") continue;
    if (item instanceof TorchTensor) tensors.set(key, item);
    else if (path.length < MAX_DEPTH) collect(item, [...path, key], found, seen);
  }
  if (tensors.size > 0) found.push({ path, tensors });
}

function inWords({ path, tensors }: Candidate): string[] {
  if (path.length > 0) return [`${tensors.size} under ${quote(path.join("."), 60)}`];
  const names = [...tensors.keys()].map((name) => quote(name, 40));
  return names.length > 3 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
}

/** What wrappers put between the names of modules: torch.compile, FSDP, activation checkpointing. */
const SEGMENTS = /(^|\.)((?:(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.)+)/g;
const PARALLEL = "module.";
/** The counter of PyTorch's AveragedModel, which is next to the names that it wraps. */
const COUNTER = "n_averaged";

export interface UnwrappedNames {
  /** As stored -> as the model itself has it. */
  readonly names: ReadonlyMap<string, string>;
  /** What was taken off, for people: "module.", "_orig_mod.". */
  readonly wrappers: readonly string[];
}

/**
 * Names without what training wrappers added: `module.` in front of all (DataParallel, DDP, AveragedModel), and
 * `_orig_mod.` and its like anywhere. Names that would become equal stay as they are.
 */
export function unwrapNames(stored: Iterable<string>): UnwrappedNames {
  const all = [...stored];
  const wrappers = new Set<string>();
  let names = all.map((name) =>
    name.replace(SEGMENTS, (_, before: string, inserted: string) => {
      for (const segment of inserted.slice(0, -1).split(".")) wrappers.add(`${segment}.`);
      return before;
    }),
  );
  const wrapped = (name: string): boolean => name.startsWith(PARALLEL) || name === COUNTER;
  while (names.some((name) => name.startsWith(PARALLEL)) && names.every(wrapped)) {
    wrappers.add(PARALLEL);
    names = names.map((name) => (name === COUNTER ? name : name.slice(PARALLEL.length)));
  }
  const distinct = new Set(names).size === all.length;
  return {
    names: new Map(all.map((name, i) => [name, distinct ? item(names, i) : name])),
    wrappers: distinct ? [...wrappers] : [],
  };
}
