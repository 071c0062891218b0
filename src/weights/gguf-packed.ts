/**
 * Quantized GGUF tensors, rearranged into the blocks that ONNX Runtime multiplies with (see src/onnx/quantized.ts): the same
 * integers and scales, no rounding. Every block of a format has `parts` smaller ones with a scale each; what a format
 * adds to them (a minimum) becomes an offset, counted from the middle of the 4-bit range.
 */

import { float16ToFloat32 } from "./float16.ts";
import { scaleAndMinimum } from "./gguf-blocks.ts";

export interface PackedBlocks {
  readonly bits: 4 | 8;
  /** Numbers that share a scale. */
  readonly block: number;
  readonly data: Uint8Array;
  readonly scale: Float32Array;
  /** Added to every number of a block. */
  readonly offset?: Float32Array;
}

/** What blocks are packed into. */
interface Out {
  readonly data: Uint8Array;
  readonly scale: Float32Array;
  readonly offset: Float32Array;
}

interface Packing {
  readonly bits: 4 | 8;
  /** Bytes of a block in the file, and its numbers. */
  readonly bytes: number;
  readonly count: number;
  /** Numbers of a block here. */
  readonly block: number;
  readonly hasOffset?: boolean;
  /** Packs the block at `at`: its numbers from byte `to` of `out.data` on, its scales from entry `i` on. */
  readonly pack: (bytes: Uint8Array, at: number, out: Out, to: number, i: number) => void;
}

const half = (bytes: Uint8Array, at: number): number => float16ToFloat32(bytes[at]! | (bytes[at + 1]! << 8));

/** 16 bytes with number j in the low and number j + 16 in the high bits -> numbers 2 j and 2 j + 1 in a byte. */
function pairHalves(bytes: Uint8Array, at: number, data: Uint8Array, to: number): void {
  for (let j = 0; j < 8; j++) {
    const [a, b] = [bytes[at + 2 * j]!, bytes[at + 2 * j + 1]!];
    data[to + j] = (a & 15) | ((b & 15) << 4);
    data[to + 8 + j] = (a >> 4) | (b & 0xf0);
  }
}

const PACKINGS: Readonly<Record<string, Packing>> = {
  Q4_0: {
    ...{ bits: 4, bytes: 18, count: 32, block: 32 },
    pack: (bytes, at, { data, scale }, to, i) => {
      scale[i] = half(bytes, at);
      pairHalves(bytes, at + 2, data, to);
    },
  },
  // q d + m = (q - 8) d + (8 d + m)
  Q4_1: {
    ...{ bits: 4, bytes: 20, count: 32, block: 32, hasOffset: true },
    pack: (bytes, at, { data, scale, offset }, to, i) => {
      const d = half(bytes, at);
      scale[i] = d;
      offset[i] = 8 * d + half(bytes, at + 2);
      pairHalves(bytes, at + 4, data, to);
    },
  },
  Q8_0: {
    ...{ bits: 8, bytes: 34, count: 32, block: 32 },
    pack: (bytes, at, { data, scale }, to, i) => {
      scale[i] = half(bytes, at);
      for (let j = 0; j < 32; j++) data[to + j] = bytes[at + 2 + j]! ^ 0x80; // q + 128
    },
  },
  Q4_K: {
    ...{ bits: 4, bytes: 144, count: 256, block: 32, hasOffset: true },
    pack: (bytes, at, { data, scale, offset }, to, i) => {
      const [d, dmin] = [half(bytes, at), half(bytes, at + 2)];
      for (let part = 0; part < 8; part++) {
        const [factor, minimum] = scaleAndMinimum(bytes, at + 4, part);
        scale[i + part] = d * factor;
        offset[i + part] = 8 * d * factor - dmin * minimum;
        const [from, shift] = [at + 16 + 32 * (part >> 1), 4 * (part & 1)];
        for (let j = 0; j < 16; j++) {
          const [a, b] = [bytes[from + 2 * j]! >> shift, bytes[from + 2 * j + 1]! >> shift];
          data[to + 16 * part + j] = (a & 15) | ((b & 15) << 4);
        }
      }
    },
  },
  // Six bits, kept in eight.
  Q6_K: {
    ...{ bits: 8, bytes: 210, count: 256, block: 16 },
    pack: (bytes, at, { data, scale }, to, i) => {
      const d = half(bytes, at + 208);
      for (let j = 0; j < 16; j++) scale[i + j] = d * ((bytes[at + 192 + j]! << 24) >> 24);
      for (let j = 0; j < 256; j++) {
        const [part, k] = [j >> 7, j & 127];
        const low = bytes[at + 64 * part + (k & 63)]! >> (4 * (k >> 6));
        const high = bytes[at + 128 + 32 * part + (k & 31)]! >> (2 * (k >> 5));
        data[to + j] = ((low & 15) | ((high & 3) << 4)) + 96; // q - 32 + 128
      }
    },
  },
};

/** The bytes of a tensor of this format, rearranged; undefined for formats without such blocks. */
export function packBlocks(type: string, bytes: Uint8Array): PackedBlocks | undefined {
  const packing = PACKINGS[type];
  if (!packing) return undefined;
  const { bits, block, count, hasOffset = false } = packing;
  const [blocks, parts, size] = [bytes.length / packing.bytes, count / block, (count * bits) / 8];
  const data = new Uint8Array(blocks * size);
  const scale = new Float32Array(blocks * parts);
  const offset = new Float32Array(hasOffset ? blocks * parts : 0);
  for (let b = 0; b < blocks; b++) packing.pack(bytes, b * packing.bytes, { data, scale, offset }, b * size, b * parts);
  return { bits, block, data, scale, offset: hasOffset ? offset : undefined };
}
