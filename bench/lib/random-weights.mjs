/** Weight files of any size with random numbers: one block of them again and again, as drawing billions would take long. */

import { Rng } from "../../dist/base/rng.js";
import { writeSafetensors } from "../../dist/weights/index.js";

const BLOCK = 1 << 20;

/** @param {string} path @param {Iterable<readonly [string, readonly number[]]>} shapes @param {number} std */
export async function writeRandomWeights(path, shapes, std = 0.02) {
  const rng = new Rng(1);
  const block = Float32Array.from({ length: BLOCK }, () => std * rng.normal());
  const data = (name, shape) => () => {
    const size = shape.reduce((a, b) => a * b, 1);
    const out = new Float32Array(size);
    if (/norm\w*\.weight$|ln_vision\.weight$/.test(name)) return out.fill(1);
    for (let at = 0; at < size; at += BLOCK) out.set(at + BLOCK <= size ? block : block.subarray(0, size - at), at);
    return out;
  };
  const dtype = /** @type {const} */ ("F32");
  const tensors = [...shapes].map(([name, shape]) => ({ name, dtype, shape, data: data(name, shape) }));
  await writeSafetensors(path, tensors, { format: "pt" });
}
