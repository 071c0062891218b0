/** Sprites are premultiplied RGBA, so that averaging pixels never drags in the color of transparent ones. */

import type { RgbaImage } from "../image/raster-node.ts";

/** x, y, width, height in pixels. */
export type Box = readonly [x: number, y: number, width: number, height: number];

/** The smallest box that holds every pixel of alpha >= `threshold`; undefined if there is none. */
export function alphaBox({ width, height, data }: RgbaImage, threshold = 8): Box | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0, i = 3; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      if (data[i]! < threshold) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  return right < 0 ? undefined : [left, top, right - left + 1, bottom - top + 1];
}

/** Cuts `box` out of a straight-alpha picture and centers it in a transparent premultiplied square of its longer side. */
export function cutSquare(image: RgbaImage, [left, top, width, height]: Box): { side: number; data: Uint8Array } {
  const side = Math.max(width, height);
  const data = new Uint8Array(side * side * 4);
  const [dx, dy] = [(side - width) >> 1, (side - height) >> 1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = ((top + y) * image.width + left + x) * 4;
      const to = ((dy + y) * side + dx + x) * 4;
      const alpha = image.data[from + 3]!;
      for (let c = 0; c < 3; c++) data[to + c] = Math.round((image.data[from + c]! * alpha) / 255);
      data[to + 3] = alpha;
    }
  }
  return { side, data };
}

/** For each of `to` pixels: the first source pixel and the weights of the source pixels it covers, padded to `taps`. */
interface Coverage {
  readonly taps: number;
  readonly first: Int32Array;
  readonly weights: Float32Array;
}

const coverages = new Map<number, Coverage>();

/** Area coverage when a line of `from` pixels becomes `to` pixels; linear interpolation when it grows. */
function coverage(from: number, to: number): Coverage {
  const key = from * 65536 + to;
  const known = coverages.get(key);
  if (known) return known;
  const scale = from / to;
  const reach = Math.max(scale, 1);
  const taps = Math.ceil(reach) + 1;
  const first = new Int32Array(to);
  const weights = new Float32Array(to * taps);
  for (let i = 0; i < to; i++) {
    // Kept inside, so that the weights sum to 1 at the edges of a line that grows.
    const low = Math.min(Math.max((i + 0.5) * scale - reach / 2, 0), from - reach);
    const start = Math.min(Math.floor(low), Math.max(from - taps, 0));
    first[i] = start;
    for (let t = 0; t < taps; t++) {
      const overlap = Math.min(low + reach, start + t + 1) - Math.max(low, start + t);
      if (start + t < from) weights[i * taps + t] = Math.max(overlap, 0) / reach;
    }
  }
  const made = { taps, first, weights };
  coverages.set(key, made);
  return made;
}

let rows = new Float32Array(0);

/**
 * Resamples a premultiplied square by area.
 *
 * data: u8 [from,from,4] -> out: u8 [to,to,4] (`out` may be larger than that)
 * @param flip mirror left and right
 */
export function resampleSquare(data: Uint8Array, from: number, to: number, out: Uint8Array, flip = false): void {
  const { taps, first, weights } = coverage(from, to);
  if (rows.length < from * to * 4) rows = new Float32Array(from * to * 4);
  const stride = to * 4;
  for (let x = 0; x < to; x++) {
    const column = (flip ? to - 1 - x : x) * 4;
    const start = first[x]!;
    const reached = Math.min(taps, from - start);
    for (let y = 0, line = start * 4, o = column; y < from; y++, line += from * 4, o += stride) {
      let r = 0;
      let g = 0;
      let b = 0;
      let a = 0;
      for (let t = 0, i = line; t < reached; t++, i += 4) {
        const w = weights[x * taps + t]!;
        r += w * data[i]!;
        g += w * data[i + 1]!;
        b += w * data[i + 2]!;
        a += w * data[i + 3]!;
      }
      rows[o] = r;
      rows[o + 1] = g;
      rows[o + 2] = b;
      rows[o + 3] = a;
    }
  }
  for (let y = 0; y < to; y++) {
    const start = first[y]!;
    const reached = Math.min(taps, from - start);
    for (let c = 0; c < stride; c++) {
      let sum = 0.5;
      for (let t = 0, i = start * stride + c; t < reached; t++, i += stride) sum += weights[y * taps + t]! * rows[i]!;
      out[y * stride + c] = sum;
    }
  }
}
