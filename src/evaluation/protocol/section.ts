/** What sections of a card have in common: the model's figures next to the papers', pictures that the model could read. */
import type { Interval } from "../metrics/bootstrap.ts";
import type { CaptionedPicture, CaptionSet } from "./caption-sets.ts";
import type { PaperModel, PartName } from "./paper-model.ts";
import { publishedFigures } from "./published.ts";
import { type KnownPicture, seePictures, type WorkOptions } from "./work.ts";

/** A figure of the model in percent, and the papers'. */
export interface Figure {
  readonly own: Interval;
  readonly papers?: Readonly<Record<string, number>>;
}

export type Rows = Readonly<Record<string, Readonly<Record<string, Figure>>>>;

export interface Section {
  /** Pictures or questions that were scored. */
  readonly count: number;
  readonly rows: Rows;
  /** What could not be computed, and why. */
  readonly notRun?: Readonly<Record<string, string>>;
  readonly examples?: readonly Readonly<Record<string, unknown>>[];
}

/** Number of examples in a card. */
export const EXAMPLES = 8;

/** Adds the papers' figures. */
export function figures(section: string, own: Readonly<Record<string, Readonly<Record<string, Interval>>>>): Rows {
  const metrics = (row: string, values: Readonly<Record<string, Interval>>): Record<string, Figure> =>
    Object.fromEntries(
      Object.entries(values).map(([metric, value]) => [
        metric,
        { own: value, papers: publishedFigures(section, row, metric) },
      ]),
    );
  return Object.fromEntries(Object.entries(own).map(([row, values]) => [row, metrics(row, values)]));
}

/** A set whose pictures are seen when a section first needs them, once. */
export interface SeenSet {
  readonly name: CaptionSet["name"];
  /** Pictures that the model could read, with their codes and embeddings. */
  see(): Promise<readonly (CaptionedPicture & KnownPicture)[]>;
}

export function seenSet(set: CaptionSet, model: PaperModel, work: WorkOptions): SeenSet {
  let pictures: ReturnType<SeenSet["see"]> | undefined;
  const see = async (): ReturnType<SeenSet["see"]> => {
    const paths = set.pictures.map(({ path }) => path);
    const all = await seePictures(`${set.name}: pictures`, paths, model, set.problems, work);
    return set.pictures.flatMap((picture, i) => {
      const own = all[i];
      return own ? [{ ...picture, ...own }] : [];
    });
  };
  return {
    name: set.name,
    see: () => {
      pictures ??= see();
      return pictures;
    },
  };
}

export function lacking(model: PaperModel, ...names: readonly PartName[]): string | undefined {
  const missing = names.find((name) => model[name] === undefined);
  return missing && (model.lacks[missing] ?? `the model lacks ${missing}`);
}
