/**
 * The number formats of GGUF files, to float32. A quantized tensor is a row of blocks; each holds a scale, perhaps a
 * minimum, and a few bits per number. Layouts as in ggml's quants; products are exact in float64 and rounded once.
 */
import { DTYPE_BYTES, decodeTensor, toFloat32 } from "./dtypes.ts";
import { float16ToFloat32 } from "./float16.ts";

export interface GgufFormat {
  readonly name: string;
  /** Numbers per block. */
  readonly count: number;
  /** Bytes per block. */
  readonly bytes: number;
  /** A whole number of blocks -> their numbers. */
  readonly decode: (bytes: Uint8Array) => Float32Array;
}

/** Writes the numbers of the block at `at` of `bytes` to `out` from `to` on. */
type DecodeBlock = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

const half = (bytes: Uint8Array, at: number): number => float16ToFloat32(bytes[at]! | (bytes[at + 1]! << 8));
const signed = (byte: number): number => (byte << 24) >> 24;

/** Two numbers per byte: the first half of the block in the low bits, the second in the high bits. */
function nibbles(bytes: Uint8Array, at: number, out: Float32Array, to: number, value: (q: number) => number): void {
  for (let i = 0; i < 16; i++) {
    const byte = bytes[at + i]!;
    out[to + i] = value(byte & 15);
    out[to + 16 + i] = value(byte >> 4);
  }
}

/** Scale and minimum number j of a Q4_K block, six bits each, packed into 12 bytes. */
export function scaleAndMinimum(bytes: Uint8Array, at: number, j: number): [scale: number, minimum: number] {
  const b = (i: number): number => bytes[at + i]!;
  if (j < 4) return [b(j) & 63, b(j + 4) & 63];
  return [(b(j + 4) & 15) | ((b(j - 4) >> 6) << 4), (b(j + 4) >> 4) | ((b(j) >> 6) << 4)];
}

/** Blocks one after the other. */
function blocks(count: number, size: number, decode: DecodeBlock): Pick<GgufFormat, "count" | "bytes" | "decode"> {
  return {
    count,
    bytes: size,
    decode: (bytes) => {
      const out = new Float32Array((bytes.length / size) * count);
      for (let i = 0; i * size < bytes.length; i++) decode(bytes, i * size, out, i * count);
      return out;
    },
  };
}

/** Numbers stored one by one, as in safetensors. */
function plain(dtype: "F32" | "F16" | "BF16"): GgufFormat {
  return { name: dtype, count: 1, bytes: DTYPE_BYTES[dtype], decode: (b) => toFloat32(decodeTensor(b, dtype, dtype)) };
}

/** By ggml's number of the type. */
export const GGUF_FORMATS: ReadonlyMap<number, GgufFormat> = new Map<number, GgufFormat>([
  [0, plain("F32")],
  [1, plain("F16")],
  [30, plain("BF16")],
  [
    2,
    {
      name: "Q4_0",
      ...blocks(32, 18, (bytes, at, out, to) => {
        const d = half(bytes, at);
        nibbles(bytes, at + 2, out, to, (q) => (q - 8) * d);
      }),
    },
  ],
  [
    3,
    {
      name: "Q4_1",
      ...blocks(32, 20, (bytes, at, out, to) => {
        const [d, m] = [half(bytes, at), half(bytes, at + 2)];
        nibbles(bytes, at + 4, out, to, (q) => q * d + m);
      }),
    },
  ],
  [
    8,
    {
      name: "Q8_0",
      ...blocks(32, 34, (bytes, at, out, to) => {
        const d = half(bytes, at);
        for (let i = 0; i < 32; i++) out[to + i] = signed(bytes[at + 2 + i]!) * d;
      }),
    },
  ],
  [
    12,
    {
      name: "Q4_K",
      ...blocks(256, 144, (bytes, at, out, to) => {
        const [d, dmin] = [half(bytes, at), half(bytes, at + 2)];
        for (let j = 0; j < 8; j++) {
          const [scale, minimum] = scaleAndMinimum(bytes, at + 4, j);
          const quants = at + 16 + 32 * (j >> 1);
          const shift = 4 * (j & 1);
          for (let i = 0; i < 32; i++)
            out[to + 32 * j + i] = d * scale * ((bytes[quants + i]! >> shift) & 15) - dmin * minimum;
        }
      }),
    },
  ],
  [
    14,
    {
      name: "Q6_K",
      ...blocks(256, 210, (bytes, at, out, to) => {
        const d = half(bytes, at + 208);
        for (let i = 0; i < 256; i++) {
          const [part, j] = [i >> 7, i & 127]; // two parts of 128 numbers: 64 bytes of low bits, 32 of high ones
          const low = bytes[at + 64 * part + (j & 63)]! >> (4 * (j >> 6));
          const high = bytes[at + 128 + 32 * part + (j & 31)]! >> (2 * (j >> 5));
          const q = ((low & 15) | ((high & 3) << 4)) - 32;
          out[to + i] = d * signed(bytes[at + 192 + (i >> 4)]!) * q;
        }
      }),
    },
  ],
]);
