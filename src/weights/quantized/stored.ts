/**
 * Quantized tensors in a safetensors file: `X` holds integers instead of floats, and `X.scale` their scales.
 * I8 [K,N] is a matrix [N,K] with one scale for each row, F32 [N]. U8 [N,blocks,bytes] has one for each block, F32
 * [N,blocks]; the metadata of the file states the bits of a number.
 */

import { CheckpointError } from "../../base/errors.ts";
import { item } from "../../base/item.ts";
import type { TensorFile, TensorInfo } from "../tensor-file.ts";
import { dequantizeBlocks, dequantizeRows } from "./round.ts";

/** Keys of the metadata. The second marks transposed I8, unlike early files. */
export const BITS = "quantized_bits";
export const LAYOUT = { quantized_layout: "columns" } as const;

export function scaleName(name: string): string {
  return `${name}.scale`;
}

type Named = readonly [name: string, shape: readonly number[]];

/** The tensors that a file must hold for a tensor of the model, given what it holds under that name: floats or quantized. */
export function storedShapes(
  name: string,
  shape: readonly number[],
  found: TensorInfo | undefined,
  bits: 4 | 8,
): Named[] {
  const [N, K] = shape;
  if (N === undefined || K === undefined || shape.length !== 2 || (found?.dtype !== "I8" && found?.dtype !== "U8"))
    return [[name, shape]];
  const scale = scaleName(name);
  if (found.dtype === "I8")
    return [
      [name, [K, N]],
      [scale, [N]],
    ];
  // Blocks of ONNX Runtime: powers of two from 16. With another size nothing matches, which is then reported.
  const block = ((found.shape[2] ?? 0) * 8) / bits;
  const known = Number.isInteger(Math.log2(block)) && block >= 16 ? block : 16;
  const blocks = Math.ceil(K / known);
  return [
    [name, [N, blocks, (known * bits) / 8]],
    [scale, [N, blocks]],
  ];
}

/** Bits of the numbers in a file; undefined if it is not quantized. @throws CheckpointError for an early layout */
export function storedBits({
  path,
  metadata,
  tensors,
}: Pick<TensorFile, "path" | "metadata" | "tensors">): 4 | 8 | undefined {
  const bits = metadata.get(BITS);
  if (bits === undefined) return undefined;
  if (metadata.get("quantized_layout") !== LAYOUT.quantized_layout && [...tensors.values()].some(isRows))
    throw new CheckpointError(
      `${path}: expected 8-bit weights by columns, got an early form. Quantize the model again.`,
    );
  return bits === "4" ? 4 : 8;
}

const isRows = ({ dtype }: TensorInfo): boolean => dtype === "I8";

/** The numbers of a tensor of the model as floats, however they are stored. @param K columns, if it is a matrix */
export async function readStored(file: TensorFile, name: string, K: number): Promise<Float32Array> {
  const info = file.tensors.get(name);
  if (info?.dtype !== "I8" && info?.dtype !== "U8") return file.readFloat32(name);
  const [data, scale] = [await file.readBytes(name), await file.readFloat32(scaleName(name))];
  if (info.dtype === "I8") return dequantizeRows(new Int8Array(data.buffer, data.byteOffset, data.length), scale);
  const bits = storedBits(file) ?? 8;
  return dequantizeBlocks(data, scale, { K, bits, block: (item(info.shape, 2) * 8) / bits });
}
