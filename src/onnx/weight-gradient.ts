/**
 * The gradient of a convolution in its weights as matrix products: for each tap (i, j) of the kernel, the pixels of `x`
 * that it touched times `dy`. ONNX Runtime's own convolution is several times slower where the kernel is as large as an image.
 */
import type { Dim } from "../graph/dims.ts";
import type { Node } from "../graph/tensor.ts";
import type { Emitter } from "./emit.ts";

type WeightGrad = Node<"conv2dWeightGrad">;

/** Taps share a product of up to this many columns: narrow products are slow, and joining taps costs a copy of them. */
const COLUMNS = 32;

/** For the CPU: one product per tap over all images, after swapping the axes of images and channels. */
export function productsByTap(e: Emitter, n: WeightGrad): string {
  const [x, dy] = n.inputs;
  const { height, width } = n.attrs;
  const [C, O] = [x.size(1), dy.size(1)];
  const channelsFirst = (name: string): string => e.add("Transpose", [name], { perm: [1, 0, 2, 3] });
  const rows = e.add("Reshape", [channelsFirst(e.name(dy)), e.longs([O, -1])]);
  const taps = shifted(e, n, channelsFirst(padded(e, n)));
  const share = Math.max(1, Math.floor(COLUMNS / C));
  const products: string[] = [];
  for (let from = 0; from < taps.length; from += share) {
    const some = taps.slice(from, from + share).map((tap) => e.add("Reshape", [tap, e.longs([C, 1, -1])]));
    const windows = e.add("Reshape", [concat(e, some, 1), e.longs([C * some.length, -1])]);
    const product = e.add("Gemm", [rows, windows], { transB: 1 });
    products.push(e.add("Reshape", [product, e.longs([O, C, some.length])]));
  }
  return e.add("Reshape", [concat(e, products, 2), e.longs([O, C, height, width])]);
}

/** For a GPU, which can do more at once: one product per image over all taps, then the sum over images. */
export function productsByImage(e: Emitter, n: WeightGrad): string {
  const [x, dy] = n.inputs;
  const { height, width } = n.attrs;
  const [, O, rows, columns] = dy.shape as [Dim, number, number, number];
  const C = x.size(1);
  const taps = shifted(e, n, padded(e, n)).map((tap) => e.add("Reshape", [tap, e.longs([0, C, 1, rows * columns])]));
  const windows = e.add("Reshape", [concat(e, taps, 2), e.longs([0, C * height * width, rows * columns])]);
  const flat = e.add("Reshape", [e.name(dy), e.longs([0, O, rows * columns])]);
  const products = e.add("MatMul", [flat, e.add("Transpose", [windows], { perm: [0, 2, 1] })]);
  const sum = e.add("ReduceSum", [products, e.longs([0])], { keepdims: 0 });
  return e.add("Reshape", [sum, e.longs([O, C, height, width])]);
}

function padded(e: Emitter, n: WeightGrad): string {
  const { padding } = n.attrs;
  const x = e.name(n.inputs[0]);
  return padding === 0 ? x : e.add("Pad", [x, e.longs([0, 0, padding, padding, 0, 0, padding, padding])]);
}

/** The pixels of an image [·,·,Y,X] that each tap reads, row by row of the kernel. */
function shifted(e: Emitter, n: WeightGrad, image: string): string[] {
  const { stride, height, width } = n.attrs;
  const dy = n.inputs[1];
  if (height * width * stride === 1) return [image];
  const [rows, columns] = [dy.size(2), dy.size(3)];
  const slices: string[] = [];
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) {
      const ends = [i + (rows - 1) * stride + 1, j + (columns - 1) * stride + 1];
      slices.push(e.add("Slice", [image, e.longs([i, j]), e.longs(ends), e.longs([2, 3]), e.longs([stride, stride])]));
    }
  return slices;
}

function concat(e: Emitter, parts: readonly string[], axis: number): string {
  const [only, ...more] = parts;
  return only !== undefined && more.length === 0 ? only : e.add("Concat", parts, { axis });
}
