/** Where the objects of a scene are. All lengths are shares of the picture's side. */

import { item } from "../base/item.ts";
import type { Rng } from "../base/rng.ts";

/** Scene kinds: one object, two objects, n of a kind, n of a kind and one other, three in a row, two by two. */
export const SCENE_KINDS = ["one", "pair", "count", "count-and-one", "row", "grid"] as const;
export type SceneKind = (typeof SCENE_KINDS)[number];

/** How many groups of different objects each kind shows. */
export const GROUPS: Readonly<Record<SceneKind, number>> = {
  one: 1,
  pair: 2,
  count: 1,
  "count-and-one": 2,
  row: 3,
  grid: 4,
};

/** Center and side of the square that a sprite fills. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

/** Whether the groups follow each other from left to right or from top to bottom. */
export type Axis = "right" | "down";

export interface Layout {
  readonly axis: Axis;
  /** For each group one place per copy. */
  readonly places: readonly (readonly Place[])[];
}

/** Where the first object of a group is. */
export const firstPlace = ({ places }: Layout, group = 0): Place => item(item(places, group), 0);

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.next();

/** Places for groups of `counts` objects. */
export function layOut(kind: SceneKind, counts: readonly number[], rng: Rng): Layout {
  const axis: Axis = rng.next() < 0.5 ? "right" : "down";
  switch (kind) {
    case "one": {
      const side = between(rng, 0.42, 0.94);
      const room = (1 - side) / 2;
      return { axis, places: [[{ x: 0.5 + room * between(rng, -1, 1), y: 0.5 + room * between(rng, -1, 1), side }]] };
    }
    case "pair":
      return { axis, places: pair(axis, rng) };
    case "count":
      return { axis, places: [swarm(item(counts, 0), axis, rng)] };
    case "count-and-one":
      return { axis: "down", places: counts.map((count, i) => line(count, 0.27 + 0.46 * i, rng)) };
    case "row":
      return { axis: "right", places: line(3, 0.5 + between(rng, -0.15, 0.15), rng).map((place) => [place]) };
    case "grid":
      return { axis, places: quarters(rng).map((place) => [place]) };
  }
}

/** Two objects side by side or one above the other; in one scene of three they differ clearly in size. */
function pair(axis: Axis, rng: Rng): Place[][] {
  let sides: [number, number] = [between(rng, 0.38, 0.48), between(rng, 0.38, 0.48)];
  if (rng.next() < 1 / 3)
    sides = rng.next() < 0.5 ? [0.52, between(rng, 0.24, 0.32)] : [between(rng, 0.24, 0.32), 0.52];
  // The gap between them is centered, wherever that leaves the smaller one.
  const slack = 1 - sides[0] - sides[1];
  const margin = slack * between(rng, 0.2, 0.4);
  const placed = (side: number, along: number): Place => {
    const across = 0.5 + between(rng, -0.12, 0.12);
    return axis === "right" ? { x: along, y: across, side } : { x: across, y: along, side };
  };
  return [[placed(sides[0], margin + sides[0] / 2)], [placed(sides[1], 1 - margin - sides[1] / 2)]];
}

/** Two to four of a kind. */
function swarm(count: number, axis: Axis, rng: Rng): Place[] {
  if (count === 4) return quarters(rng, between(rng, 0.34, 0.44));
  const shift = between(rng, -0.06, 0.06);
  if (count === 2) {
    const side = between(rng, 0.34, 0.46);
    return [0.26, 0.74].map((along) =>
      axis === "right" ? { x: along, y: 0.5 + shift, side } : { x: 0.5 + shift, y: along, side },
    );
  }
  if (rng.next() < 0.5) return line(3, 0.5 + shift, rng);
  const side = between(rng, 0.34, 0.44);
  const [single, double] = rng.next() < 0.5 ? [0.26, 0.74] : [0.74, 0.26];
  return [
    { x: 0.5 + shift, y: single, side },
    { x: 0.26, y: double, side },
    { x: 0.74, y: double, side },
  ];
}

/** `count` objects from left to right at height `y`. */
function line(count: number, y: number, rng: Rng): Place[] {
  const side = count === 3 ? between(rng, 0.28, 0.32) : between(rng, 0.34, 0.42);
  return Array.from({ length: count }, (_, i) => ({ x: (i + 0.5) / count, y: y + between(rng, -0.03, 0.03), side }));
}

function quarters(rng: Rng, side = between(rng, 0.38, 0.45)): Place[] {
  const jitter = () => between(rng, -0.02, 0.02);
  return [0.26, 0.74].flatMap((y) => [0.26, 0.74].map((x) => ({ x: x + jitter(), y: y + jitter(), side })));
}
