/** What a judge of pictures sees: peaks among the probabilities of centers, and the likelier colors of the background. */

export interface SeenObject {
  readonly noun: string;
  /** Center, px. */
  readonly x: number;
  readonly y: number;
  /** 0 to 1. */
  readonly probability: number;
}

export interface SeenPicture {
  readonly objects: readonly SeenObject[];
  /** Colors at the top left and at the bottom right. */
  readonly background: readonly [string, string];
}

export interface CenterNames {
  readonly nouns: readonly string[];
  readonly backgrounds: readonly string[];
  /** Pixels a side of a cell. */
  readonly cell: number;
  /** Probability from which on a center counts. */
  readonly threshold: number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * One picture of a batch. A cell holds one object, its likeliest, and only if no neighbor holds a likelier one, whatever
 * its noun: one object is not seen as two. Likeliest first.
 *
 * @param centers logits f32 [B,N,G,G]
 * @param background logits f32 [B,2,K]
 */
export function seenPicture(
  centers: Float32Array,
  background: Float32Array,
  grid: number,
  { nouns, backgrounds, cell, threshold }: CenterNames,
  picture = 0,
): SeenPicture {
  const area = grid * grid;
  const first = picture * nouns.length * area;
  const best = new Float32Array(area).fill(-Infinity);
  const named = new Int32Array(area);
  for (let n = 0; n < nouns.length; n++)
    for (let i = 0; i < area; i++) {
      const logit = centers[first + n * area + i] ?? -Infinity;
      if (logit > (best[i] ?? 0)) [best[i], named[i]] = [logit, n];
    }
  const objects: SeenObject[] = [];
  for (let i = 0; i < area; i++) {
    const probability = sigmoid(best[i] ?? -Infinity);
    if (probability < threshold || !isPeak(best, grid, i)) continue;
    const [row, column] = [Math.floor(i / grid), i % grid];
    const [x, y] = [(column + 0.5) * cell, (row + 0.5) * cell];
    objects.push({ noun: nouns[named[i] ?? 0] ?? "", x, y, probability });
  }
  objects.sort((a, b) => b.probability - a.probability);
  const color = (corner: number): string => {
    const from = (picture * 2 + corner) * backgrounds.length;
    const logits = background.subarray(from, from + backgrounds.length);
    return backgrounds[logits.indexOf(Math.max(...logits))] ?? "";
  };
  return { objects, background: [color(0), color(1)] };
}

/** Of equal neighbors the first is the peak. */
function isPeak(best: Float32Array, grid: number, at: number): boolean {
  const [row, column] = [Math.floor(at / grid), at % grid];
  const own = best[at] ?? -Infinity;
  for (let r = Math.max(0, row - 1); r <= Math.min(grid - 1, row + 1); r++)
    for (let c = Math.max(0, column - 1); c <= Math.min(grid - 1, column + 1); c++) {
      const other = best[r * grid + c] ?? -Infinity;
      if (other > own || (other === own && r * grid + c < at)) return false;
    }
  return true;
}
