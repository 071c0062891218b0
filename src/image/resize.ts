/**
 * Resizing exactly like Pillow (its 8-bit path, `Resample.c`), bit for bit: the codes of a picture depend on it.
 * Horizontal pass first, then vertical; the picture between them is 8-bit; weights are integers of 22 fractional bits.
 */

import { UsageError } from "../base/errors.ts";
import type { RgbImage } from "./rgb-image.ts";

export type ResizeFilter = "bicubic" | "bilinear";

const FRACTION_BITS = 22;
const HALF = 1 << (FRACTION_BITS - 1);

const KERNELS: Record<ResizeFilter, { support: number; weight: (x: number) => number }> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: cubic },
};

/** Squashes `image` to width x height; the aspect ratio is not kept. A pass whose size does not change is skipped. */
export function resize(image: RgbImage, width: number, height: number, filter: ResizeFilter = "bicubic"): RgbImage {
  checkSize(width, height);
  const wide = image.width === width ? image : resizeRows(image, taps(image.width, width, filter));
  return image.height === height ? wide : resizeColumns(wide, taps(image.height, height, filter));
}

/** Brings the shorter side to `size` (the other side is truncated to an integer), then cuts the middle square. */
export function resizeAndCrop(image: RgbImage, size: number, filter: ResizeFilter = "bilinear"): RgbImage {
  const { width, height } = image;
  const [w, h] =
    width <= height ? [size, Math.trunc((size * height) / width)] : [Math.trunc((size * width) / height), size];
  return crop(resize(image, w, h, filter), roundHalfEven((w - size) / 2), roundHalfEven((h - size) / 2), size, size);
}

/** The rectangle of width x height pixels whose top left corner is (left, top). It must lie inside the image. */
export function crop(image: RgbImage, left: number, top: number, width: number, height: number): RgbImage {
  checkSize(width, height);
  if (left < 0 || top < 0 || left + width > image.width || top + height > image.height) {
    throw new UsageError(
      `crop: expected a rectangle inside ${image.width}x${image.height}, got ${width}x${height} at (${left}, ${top}).`,
    );
  }
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(start, start + width * 3), y * width * 3);
  }
  return { width, height, data };
}

/** For each output index: where its input pixels start, how many there are, and their weights (in a row of `stride`). */
interface Taps {
  size: number;
  first: Int32Array;
  count: Int32Array;
  weights: Int32Array;
  stride: number;
}

const cache = new Map<string, Taps>();

/** Pictures of a data set share a few sizes, so the last tables are kept. */
function taps(from: number, to: number, filter: ResizeFilter): Taps {
  const key = `${from} ${to} ${filter}`;
  let table = cache.get(key);
  if (!table) {
    table = computeTaps(from, to, filter);
    if (cache.size >= 64) cache.delete(cache.keys().next().value!);
    cache.set(key, table);
  }
  return table;
}

function computeTaps(from: number, to: number, filter: ResizeFilter): Taps {
  const { support, weight } = KERNELS[filter];
  const scale = from / to;
  const filterScale = Math.max(scale, 1);
  const reach = support * filterScale;
  const stride = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const end = Math.min(from, Math.trunc(center + reach + 0.5));
    let sum = 0;
    for (let x = start; x < end; x++) {
      const w = weight((x - center + 0.5) * (1 / filterScale));
      exact[x - start] = w;
      sum += w;
    }
    for (let k = 0; k < end - start; k++) {
      const w = (exact[k]! / sum) * (1 << FRACTION_BITS);
      weights[i * stride + k] = Math.trunc(w < 0 ? w - 0.5 : w + 0.5);
    }
    first[i] = start;
    count[i] = end - start;
  }
  return { size: to, first, count, weights, stride };
}

function resizeRows({ width, height, data }: RgbImage, { size, first, count, weights, stride }: Taps): RgbImage {
  const out = new Uint8Array(size * height * 3);
  let o = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width * 3;
    for (let x = 0; x < size; x++) {
      let i = row + first[x]! * 3;
      let k = x * stride;
      const end = k + count[x]!;
      let r = HALF;
      let g = HALF;
      let b = HALF;
      for (; k < end; k++, i += 3) {
        const w = weights[k]!;
        r = (r + Math.imul(w, data[i]!)) | 0;
        g = (g + Math.imul(w, data[i + 1]!)) | 0;
        b = (b + Math.imul(w, data[i + 2]!)) | 0;
      }
      out[o++] = clamp8(r >> FRACTION_BITS);
      out[o++] = clamp8(g >> FRACTION_BITS);
      out[o++] = clamp8(b >> FRACTION_BITS);
    }
  }
  return { width: size, height, data: out };
}

/** Adds up whole rows, so that memory is walked in order. */
function resizeColumns({ width, data }: RgbImage, { size, first, count, weights, stride }: Taps): RgbImage {
  const line = width * 3;
  const out = new Uint8Array(line * size);
  const sums = new Int32Array(line);
  for (let y = 0; y < size; y++) {
    sums.fill(HALF);
    for (let k = 0; k < count[y]!; k++) {
      const w = weights[y * stride + k]!;
      const row = (first[y]! + k) * line;
      for (let x = 0; x < line; x++) sums[x] = sums[x]! + Math.imul(w, data[row + x]!);
    }
    for (let x = 0; x < line; x++) out[y * line + x] = clamp8(sums[x]! >> FRACTION_BITS);
  }
  return { width, height: size, data: out };
}

/** Keys' cubic with a = -0.5, in Pillow's order of operations. */
function cubic(x: number): number {
  const d = Math.abs(x);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * -0.5 : 0;
}

function clamp8(value: number): number {
  return value < 0 ? 0 : Math.min(value, 255);
}

/** Python's `round`, with which torchvision places its center crop. */
function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}

function checkSize(width: number, height: number) {
  if (!Number.isSafeInteger(width) || !Number.isSafeInteger(height) || width < 1 || height < 1) {
    throw new UsageError(`image size: expected whole numbers of at least 1, got ${width}x${height}.`);
  }
}
