/** How well objects are found in validation pictures whose objects are known: what judge and probe are measured by. */
import type { SeenPicture } from "../../evaluation/metrics/centers.ts";
import { judgedPicture, judgedScores, type ShownScene } from "../../evaluation/metrics/judged-scenes.ts";
import type { Picture } from "../data/pictures.ts";

export interface LookedAt {
  /** With every center of at least the first of `THRESHOLDS`. */
  readonly seen: SeenPicture;
  readonly shown: ShownScene;
}

/** Probabilities from which on a center may count; below the first, nothing is looked for. */
export const THRESHOLDS: readonly number[] = Array.from({ length: 17 }, (_, i) => (i + 2) / 20);

/** Percent each, at the threshold of the best F1 of objects, which is among them. */
export function centerScores(looked: readonly LookedAt[], nouns: readonly string[]): Record<string, number> {
  const tried = THRESHOLDS.map((threshold) => {
    const likely = looked.map(({ seen, shown }) => ({
      seen: { ...seen, objects: seen.objects.filter(({ probability }) => probability >= threshold) },
      shown,
    }));
    return { threshold, likely, ...detection(likely) };
  });
  const { threshold, likely, precision, recall } = tried.reduce((a, b) => (b.f1 > a.f1 ? b : a));
  const known = new Set(nouns);
  const judged = judgedScores(
    likely.map(({ seen, shown }) => judgedPicture(seen, shown, known)),
    { resamples: 1 },
  );
  const means = Object.entries(judged).map(([name, { mean }]) => [name, mean] as const);
  return { precision, recall, ...Object.fromEntries(means), threshold };
}

export function shownScene({ objects = [], background }: Picture): ShownScene {
  const boxes = objects.map(({ name: noun, ...box }) => ({ noun, ...box }));
  return { objects: boxes, background: background ?? { from: "white", to: "white" } };
}

/** Each object seen belongs to one shown, of its noun, whose box holds its center. Percent. */
function detection(looked: readonly LookedAt[]): {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
} {
  let [right, found, wanted] = [0, 0, 0];
  for (const { seen, shown } of looked) {
    const left = new Set(shown.objects);
    for (const { noun, x, y } of seen.objects) {
      const own = [...left].find((o) => o.noun === noun && x >= o.x && x < o.x + o.w && y >= o.y && y < o.y + o.h);
      if (own && left.delete(own)) right++;
    }
    found += seen.objects.length;
    wanted += shown.objects.length;
  }
  const percent = (of: number): number => (100 * right) / Math.max(of, 1);
  return { precision: percent(found), recall: percent(wanted), f1: percent((found + wanted) / 2) };
}
