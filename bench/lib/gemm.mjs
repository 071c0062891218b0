/** How fast this machine multiplies float32 matrices through ONNX Runtime, and how many products a training step holds. */
import { gradients } from "../../dist/autodiff/index.js";
import { input, normal, Params, paramAttrs } from "../../dist/graph/index.js";
import { sortNodes } from "../../dist/graph/tensor.js";
import { mapWeights, Runtime } from "../../dist/runtime/index.js";
import { loss } from "./cases.mjs";
import { timed } from "./stats.mjs";

const SIZE = 2048;
const PRODUCTS = 4;

/** Best of some runs of a chain of square products, GFLOP/s. @param {number} threads @param {"wall" | "cpu"} clock */
export async function gemmPeak(threads, clock) {
  const scale = normal(SIZE ** -0.5);
  const p = new Params();
  let x = p.get("a", [SIZE, SIZE], scale).add(input("x", [])); // no constant, else it would be folded
  for (let i = 0; i < PRODUCTS; i++) x = x.matmul(p.get("b", [SIZE, SIZE], scale));
  const values = Float32Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i) / Math.sqrt(SIZE / 2));
  const weights = mapWeights(new Map(["a", "b"].map((key) => [key, values])));
  const runtime = new Runtime({ threads });
  const program = await runtime.compile({ y: x.slice(0, 0, 1) }, weights);
  const feeds = { x: { shape: [], data: Float32Array.of(0) } };
  let best = Infinity;
  for (let i = 0; i < 8; i++) best = Math.min(best, (await timed(() => program.run(feeds)))[clock]);
  await runtime.close();
  return (2 * SIZE ** 3 * PRODUCTS) / best / 1e6;
}

/** Floating-point operations of the matrix products in one step, forward and backward. @param {keyof typeof import("./cases.mjs").SIZES} name of a case */
export function productFlops(name) {
  const p = new Params();
  const target = loss(name, p);
  const learn = [...p.declared().values()];
  const nodes = sortNodes([target, ...gradients(target, learn)]);
  const size = (shape) => shape.reduce((a, b) => a * b, 1);
  return nodes.reduce((sum, { op, inputs, outputs, attrs }) => {
    if (op.startsWith("conv2d")) return sum + convolutionFlops(op, inputs, outputs);
    if (op !== "linear" && op !== "matmul") return sum;
    const inner = inputs[0].shape.at("transA" in attrs && attrs.transA ? -2 : -1);
    return sum + 2 * size(outputs[0].shape) * Number(inner);
  }, 0);
}

/** A convolution and its two adjoints take a product for every output pixel, pair of channels and tap. */
function convolutionFlops(op, inputs, outputs) {
  const size = (shape) => shape.reduce((a, b) => a * b, 1);
  const w = (op === "conv2d" ? inputs[1] : op === "conv2dInputGrad" ? inputs[0] : outputs[0]).shape;
  const [B, , rows, columns] = (op === "conv2d" ? outputs[0] : inputs[1]).shape;
  return 2 * size(w) * B * rows * columns;
}

/** Number of values that learn in a case. @param {keyof typeof import("./cases.mjs").SIZES} name */
export function parameterCount(name) {
  const p = new Params();
  loss(name, p);
  const shapes = [...p.declared().values()].map((t) => paramAttrs(t).shape);
  return shapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
