/**
 * How much of a scene a judge still finds in a picture of it: objects, their numbers, their order and the background, each
 * with a bootstrap interval over scenes. The judge errs on real pictures too, so what it sees in a decoded or drawn picture
 * is read as a share of what it sees in the originals.
 */
import type { Background } from "../../data/draw.ts";
import type { SceneObject } from "../../data/scenes.ts";
import {
  type BootstrapOptions,
  bootstrap,
  bootstrapRatio,
  bootstrapShare,
  type Interval,
  type Part,
} from "./bootstrap.ts";
import type { SeenPicture } from "./centers.ts";

export interface ShownScene {
  readonly objects: readonly Pick<SceneObject, "noun" | "x" | "y" | "w" | "h">[];
  readonly background: Pick<Background, "from" | "to">;
}

/** What was right in one picture, out of how much. */
export interface JudgedPicture {
  /** Of the nouns shown, those seen at least once. */
  readonly objectsFound: Part;
  /** Of the nouns found, those seen as often as they are shown. */
  readonly countsRight: Part;
  /** Of two nouns side by side, both of which were found: whether the left one is seen on the left. */
  readonly sidesRight: Part;
  /** The same of one above the other. */
  readonly aboveRight: Part;
  /** Both colors of the background. */
  readonly backgroundRight: Part;
  /** All of the above, and nothing else. */
  readonly exactlyRight: Part;
  /** Objects seen that the scene does not show. */
  readonly falseFinds: number;
}

const SHARES = ["objectsFound", "countsRight", "sidesRight", "aboveRight", "backgroundRight", "exactlyRight"] as const;
/** Percent of what the judge sees in the originals. */
export type SharesOfOriginals = Readonly<Record<(typeof SHARES)[number], Interval>>;

/** Percent each, except `falseFinds`: objects a picture. NaN where there was nothing to be right about. */
export interface JudgedScores extends SharesOfOriginals {
  readonly falseFinds: Interval;
}

/** @param nouns those that the judge knows; others are left out */
export function judgedPicture(
  seen: SeenPicture,
  { objects, background }: ShownScene,
  nouns: ReadonlySet<string>,
): JudgedPicture {
  const shown = byNoun(objects.filter(({ noun }) => nouns.has(noun)));
  const found = byNoun(seen.objects);
  const times = (noun: string): number => found.get(noun)?.length ?? 0;
  const named = [...shown.keys()].filter((noun) => times(noun) > 0);
  const counted = named.filter((noun) => times(noun) === shown.get(noun)?.length);
  const extra = [...found].map(([noun, all]) => Math.max(0, all.length - (shown.get(noun)?.length ?? 0)));
  const falseFinds = extra.reduce((a, b) => a + b, 0);
  const colors = Number(seen.background[0] === background.from && seen.background[1] === background.to);
  const { axis, right } = order(shown, found);
  const along = (own: "x" | "y"): Part => ({ right: Number(axis === own && right), of: Number(axis === own) });
  const missed = shown.size - counted.length;
  const exactly = missed === 0 && falseFinds === 0 && colors === 1 && (axis === undefined || right);
  return {
    objectsFound: { right: named.length, of: shown.size },
    countsRight: { right: counted.length, of: named.length },
    sidesRight: along("x"),
    aboveRight: along("y"),
    backgroundRight: { right: colors, of: 1 },
    exactlyRight: { right: Number(exactly), of: 1 },
    falseFinds,
  };
}

function byNoun<T extends { readonly noun: string }>(objects: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const object of objects) groups.set(object.noun, [...(groups.get(object.noun) ?? []), object]);
  return groups;
}

interface Center {
  readonly x: number;
  readonly y: number;
}

const mean = (centers: readonly Center[]): Center => ({
  x: centers.reduce((sum, { x }) => sum + x, 0) / centers.length,
  y: centers.reduce((sum, { y }) => sum + y, 0) / centers.length,
});

/** The order of two nouns by their mean centers, along the axis on which the scene has them farther apart. */
function order(
  shown: ReadonlyMap<string, ShownScene["objects"]>,
  found: ReadonlyMap<string, readonly Center[]>,
): { readonly axis?: "x" | "y"; readonly right: boolean } {
  const [a, b, ...more] = [...shown];
  const [seenA, seenB] = [found.get(a?.[0] ?? ""), found.get(b?.[0] ?? "")];
  if (!a || !b || more.length > 0 || !seenA || !seenB) return { right: false };
  const center = ([, all]: typeof a): Center => mean(all.map(({ x, y, w, h }) => ({ x: x + w / 2, y: y + h / 2 })));
  const [from, to] = [center(a), center(b)];
  const axis = Math.abs(to.x - from.x) >= Math.abs(to.y - from.y) ? "x" : "y";
  return { axis, right: (mean(seenB)[axis] - mean(seenA)[axis]) * (to[axis] - from[axis]) > 0 };
}

/** @throws UsageError for no pictures */
export function judgedScores(pictures: readonly JudgedPicture[], options: BootstrapOptions = {}): JudgedScores {
  const share = (name: (typeof SHARES)[number]): Interval =>
    percent(
      bootstrapShare(
        pictures.map((one) => one[name]),
        options,
      ),
    );
  const parts = SHARES.map((name) => [name, share(name)] as const);
  return {
    ...(Object.fromEntries(parts) as SharesOfOriginals),
    falseFinds: bootstrap(
      pictures.map((one) => one.falseFinds),
      options,
    ),
  };
}

/** The shares of `pictures` as percent of those of the originals, scene by scene the same. */
export function shareOfOriginals(
  pictures: readonly JudgedPicture[],
  originals: readonly JudgedPicture[],
): SharesOfOriginals {
  const ratio = (name: (typeof SHARES)[number]): Interval => {
    const [own, whole] = [pictures, originals].map((all) => all.map((one) => one[name]));
    return percent(bootstrapRatio(own ?? [], whole ?? []));
  };
  return Object.fromEntries(SHARES.map((name) => [name, ratio(name)])) as SharesOfOriginals;
}

function percent({ mean, low, high }: Interval): Interval {
  return { mean: 100 * mean, low: 100 * low, high: 100 * high };
}
