/**
 * Quantized tensors in a safetensors file: `X` holds whole numbers instead of floats, and `X.scale` stands beside it.
 * I8 [K,N] stands for a matrix [N,K] with one scale a row, F32 [N]. U8 [N,blocks,bytes] has one a block, F32 [N,blocks]; the file's metadata says
 * how many bits a number has.
 */

import { CheckpointError } from "../../base/errors.ts";
import type { TensorFile, TensorInfo } from "../tensor-file.ts";
import { dequantizeBlocks, dequantizeRows } from "./round.ts";

/** Keys of the metadata; the second says that I8 has rows and columns exchanged, which early files have not. */
export const BITS = "quantized_bits";
export const LAYOUT = { quantized_layout: "columns" } as const;

export function scaleName(name: string): string {
  return `${name}.scale`;
}

type Named = readonly [name: string, shape: readonly number[]];

/** What must stand in the file for a tensor of the model, given what stands under its name: as floats or quantized. */
export function storedShapes(
  name: string,
  shape: readonly number[],
  found: TensorInfo | undefined,
  bits: 4 | 8,
): Named[] {
  const [N, K] = shape;
  if (shape.length !== 2 || (found?.dtype !== "I8" && found?.dtype !== "U8")) return [[name, shape]];
  const scale = scaleName(name);
  if (found.dtype === "I8")
    return [
      [name, [K!, N!]],
      [scale, [N!]],
    ];
  // Blocks of ONNX Runtime: powers of two from 16. With another size nothing matches, which is then reported.
  const block = ((found.shape[2] ?? 0) * 8) / bits;
  const known = Number.isInteger(Math.log2(block)) && block >= 16 ? block : 16;
  const blocks = Math.ceil(K! / known);
  return [
    [name, [N!, blocks, (known * bits) / 8]],
    [scale, [N!, blocks]],
  ];
}

/** How many bits the numbers of a file have; undefined if it is not quantized. @throws CheckpointError for an early form */
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
  return dequantizeBlocks(data, scale, { K, bits, block: (info.shape[2]! * 8) / bits });
}
