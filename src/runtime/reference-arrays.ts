/** Arrays of the reference executor: broadcast, permuted, cut into rows, multiplied, with plain loops. */

export interface RefArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export function size(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Distance between neighbors along each axis of a contiguous array. */
export function steps(shape: readonly number[]): number[] {
  return shape.map((_, i) => size(shape.slice(i + 1)));
}

/** Copy of the elements at `start + sum(index[i] * step[i])` for every index within `shape`, in order. */
export function read(data: Float64Array, shape: readonly number[], step: readonly number[], start = 0): Float64Array {
  const out = new Float64Array(size(shape));
  const index = shape.map(() => 0);
  let from = start;
  for (let i = 0; i < out.length; i++) {
    out[i] = data[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [width = 1, length = 1, next = 0] = [step[axis], shape[axis], (index[axis] ?? 0) + 1];
      from += width;
      index[axis] = next < length ? next : 0;
      if (next < length) break;
      from -= width * length;
    }
  }
  return out;
}

export function broadcastTo({ shape, data }: RefArray, to: readonly number[]): Float64Array {
  const own = steps(shape);
  const lead = to.length - shape.length;
  const step = to.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : (own[i - lead] ?? 0)));
  return read(data, to, step);
}

export function permute({ shape, data }: RefArray, perm: readonly number[]): RefArray {
  const own = steps(shape);
  const to = perm.map((p) => shape[p] ?? 1);
  const step = perm.map((p) => own[p] ?? 1);
  return { shape: to, data: read(data, to, step) };
}

/** The rows of the last axis, as views. */
export function rowsOf({ shape, data }: RefArray): Float64Array[] {
  const width = shape.at(-1) ?? 1;
  return Array.from({ length: size(shape.slice(0, -1)) }, (_, i) => data.subarray(i * width, (i + 1) * width));
}

/** out [rows,columns] += scale a [rows,inner] b [inner,columns]. */
export function addProduct(
  out: Float64Array,
  a: Float64Array,
  b: Float64Array,
  [rows, inner, columns]: readonly [number, number, number],
  scale: number,
): void {
  for (let r = 0; r < rows; r++)
    for (let k = 0; k < inner; k++) {
      const factor = scale * (a[r * inner + k] as number);
      for (let c = 0; c < columns; c++) out[r * columns + c]! += factor * b[k * columns + c]!;
    }
}

export function swapLastTwo(x: RefArray): RefArray {
  const axes = x.shape.map((_, i) => i);
  return permute(x, [...axes.slice(0, -2), ...axes.slice(-2).reverse()]);
}

/**
 * Calls `visit` with the flat indices into x [B,C,Y,X], w [O,C,h,w] and y [B,O,Y',X'] of every product that a
 * convolution adds up. The convolution and its two adjoints differ only in which of the three they add to.
 */
export function eachProduct(
  xShape: readonly number[],
  wShape: readonly number[],
  yShape: readonly number[],
  { stride, padding }: { stride: number; padding: number },
  visit: (x: number, w: number, y: number) => void,
): void {
  const [B, C, Y, X] = xShape as [number, number, number, number];
  const [O, , height, width] = wShape as [number, number, number, number];
  const [, , rows, columns] = yShape as [number, number, number, number];
  for (let b = 0; b < B; b++)
    for (let o = 0; o < O; o++)
      for (let c = 0; c < C; c++)
        for (let r = 0; r < rows; r++)
          for (let i = 0; i < height; i++) {
            const y = r * stride + i - padding;
            if (y < 0 || y >= Y) continue;
            for (let s = 0; s < columns; s++)
              for (let j = 0; j < width; j++) {
                const x = s * stride + j - padding;
                if (x < 0 || x >= X) continue;
                const at = ((b * C + c) * Y + y) * X + x;
                visit(at, ((o * C + c) * height + i) * width + j, ((b * O + o) * rows + r) * columns + s);
              }
          }
}

/** An array as `outer` blocks, one for each index of the axes before `axis`, of `inner` elements. */
export function blocks(shape: readonly number[], axis: number): { outer: number; inner: number } {
  return { outer: size(shape.slice(0, axis)), inner: size(shape.slice(axis)) };
}
