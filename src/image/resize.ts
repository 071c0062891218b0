/**
 * Resizing exactly like Pillow (its 8-bit path, `Resample.c`), bit for bit: the codes of a picture depend on it.
 * Horizontal pass first, then vertical; the picture between them is 8-bit; weights are integers of 22 fractional bits.
 */

import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
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
  if (image.width === width && image.height === height) return image;
  return resample(image, { size: width, begin: 0, end: width }, { size: height, begin: 0, end: height }, filter);
}

/**
 * Brings the shorter side to `size` (the other side is truncated to an integer), then cuts the middle square. Only that
 * square is computed, so that even a very long picture costs no more than the pixels that contribute to it.
 */
export function resizeAndCrop(image: RgbImage, size: number, filter: ResizeFilter = "bilinear"): RgbImage {
  checkSize(size, size);
  const { width, height } = image;
  const [w, h] =
    width <= height ? [size, Math.trunc((size * height) / width)] : [Math.trunc((size * width) / height), size];
  const middle = (full: number): Range => {
    const begin = roundHalfEven((full - size) / 2);
    return { size: full, begin, end: begin + size };
  };
  return resample(image, middle(w), middle(h), filter);
}

/** The rectangle of width x height pixels whose top left corner is (left, top). It must be inside the image. */
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

/** The outputs begin..end of a side that is resized to `size` pixels. */
interface Range {
  readonly size: number;
  readonly begin: number;
  readonly end: number;
}

/** The most that a horizontal pass which widens a picture may hold in between, bytes. */
const MAX_WIDENED_BYTES = 32 * 1024 ** 2;

/**
 * The part of the resized picture that is in both ranges. For a picture that is thousands of times as tall as wide, the
 * horizontal pass would make a huge intermediate; there the vertical pass goes first, which differs from Pillow by rounding only.
 */
function resample(image: RgbImage, across: Range, down: Range, filter: ResizeFilter): RgbImage {
  const columns = taps(image.width, across, filter);
  const rows = taps(image.height, down, filter);
  const [width, height] = [columns.first.length, rows.first.length];
  const begin = item(rows.first, 0);
  const end = item(rows.first, height - 1) + item(rows.count, height - 1);
  if (width > image.width && width * (end - begin) * 3 > MAX_WIDENED_BYTES) {
    const low = { width: image.width, height, data: resizeColumns(image.data, image.width, 0, rows) };
    return { width, height, data: resizeRows(low, columns, 0, height) };
  }
  return { width, height, data: resizeColumns(resizeRows(image, columns, begin, end), width, begin, rows) };
}

/** For each output of a range: where its input pixels start, how many there are, and their weights (in a row of `stride`). */
interface Taps {
  /** Every output is one input pixel as it is. */
  readonly same: boolean;
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  readonly stride: number;
}

const cache = new Map<string, Taps>();
/** Tables with more weights are not kept. */
const MAX_KEPT_WEIGHTS = 2 ** 18;

/** Pictures of a data set share a few sizes, so the last tables are kept. */
function taps(from: number, { size, begin, end }: Range, filter: ResizeFilter): Taps {
  const key = `${from} ${size} ${begin} ${end} ${filter}`;
  let table = cache.get(key);
  if (!table) {
    table = computeTaps(from, { size, begin, end }, filter);
    if (table.weights.length > MAX_KEPT_WEIGHTS) return table;
    const [oldest] = cache.keys();
    if (oldest !== undefined && cache.size >= 64) cache.delete(oldest);
    cache.set(key, table);
  }
  return table;
}

function computeTaps(from: number, { size, begin, end }: Range, filter: ResizeFilter): Taps {
  const length = end - begin;
  const first = new Int32Array(length);
  const count = new Int32Array(length).fill(1);
  if (from === size) return { same: true, first: first.map((_, i) => begin + i), count, weights: first, stride: 0 };
  const { support, weight } = KERNELS[filter];
  const scale = from / size;
  const filterScale = Math.max(scale, 1);
  const reach = support * filterScale;
  const stride = Math.min(Math.ceil(reach) * 2 + 1, from);
  const weights = new Int32Array(length * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < length; i++) {
    const center = (begin + i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const stop = Math.min(from, Math.trunc(center + reach + 0.5));
    let sum = 0;
    for (let x = start; x < stop; x++) {
      const w = weight((x - center + 0.5) * (1 / filterScale));
      exact[x - start] = w;
      sum += w;
    }
    for (let k = 0; k < stop - start; k++) {
      const w = (exact[k]! / sum) * (1 << FRACTION_BITS);
      weights[i * stride + k] = Math.trunc(w < 0 ? w - 0.5 : w + 0.5);
    }
    first[i] = start;
    count[i] = stop - start;
  }
  return { same: false, first, count, weights, stride };
}

/** The horizontal pass over the input rows begin..end: u8 [end-begin, outputs of `taps`, 3]. */
function resizeRows(image: RgbImage, { same, first, count, weights, stride }: Taps, begin: number, end: number) {
  const { width, data } = image;
  const size = first.length;
  if (same && size === width) return data.subarray(begin * width * 3, end * width * 3);
  const out = new Uint8Array(size * (end - begin) * 3);
  const begun = item(first, 0);
  let o = 0;
  for (let y = begin; y < end; y++) {
    const row = y * width * 3;
    if (same) {
      out.set(data.subarray(row + begun * 3, row + (begun + size) * 3), o);
      o += size * 3;
      continue;
    }
    for (let x = 0; x < size; x++) {
      let i = row + first[x]! * 3;
      let k = x * stride;
      const last = k + count[x]!;
      let r = HALF;
      let g = HALF;
      let b = HALF;
      for (; k < last; k++, i += 3) {
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
  return out;
}

/**
 * The vertical pass. It adds up whole rows, so that memory is walked in order.
 * between: u8 [rows, width, 3], of which the first is input row `offset` -> u8 [outputs of `taps`, width, 3]
 */
function resizeColumns(between: Uint8Array, width: number, offset: number, taps: Taps): Uint8Array {
  const { same, first, count, weights, stride } = taps;
  const line = width * 3;
  const size = first.length;
  const at = (item(first, 0) - offset) * line;
  if (same) return between.slice(at, at + size * line);
  const out = new Uint8Array(line * size);
  const sums = new Int32Array(line);
  for (let y = 0; y < size; y++) {
    sums.fill(HALF);
    for (let k = 0; k < count[y]!; k++) {
      const w = weights[y * stride + k]!;
      const row = (first[y]! - offset + k) * line;
      for (let x = 0; x < line; x++) sums[x] = sums[x]! + Math.imul(w, between[row + x]!);
    }
    for (let x = 0; x < line; x++) out[y * line + x] = clamp8(sums[x]! >> FRACTION_BITS);
  }
  return out;
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
