/** IEEE half precision and bfloat16, to and from float32, in integer arithmetic. Rounding is to nearest, ties to even. */

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** Bits of a half -> value. */
export function float16ToFloat32(half: number): number {
  bits[0] = widen(half);
  return floats[0]!;
}

/** Value -> bits of the nearest half; values beyond 65504 become infinite. */
export function float32ToFloat16(value: number): number {
  floats[0] = value;
  return narrow(bits[0]!);
}

let table: Uint32Array | undefined;

/** u16 [n], the bits of halves -> f32 [n]. */
export function float16ArrayToFloat32(halves: Uint16Array): Float32Array {
  table ??= Uint32Array.from({ length: 65536 }, (_, half) => widen(half));
  const out = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) out[i] = table[halves[i]!]!;
  return new Float32Array(out.buffer);
}

/** f32 [n] -> u16 [n], the bits of halves. */
export function float32ArrayToFloat16(values: Float32Array): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = narrow(source[i]!);
  return out;
}

/** u16 [n], the upper halves of floats -> f32 [n]. */
export function bfloat16ArrayToFloat32(values: Uint16Array): Float32Array {
  const out = new Uint32Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = values[i]! << 16;
  return new Float32Array(out.buffer);
}

/** f32 [n] -> u16 [n], the bits of bfloat16. */
export function float32ArrayToBfloat16(values: Float32Array): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const x = source[i]!;
    const notNumber = (x & 0x7fffffff) > 0x7f800000;
    out[i] = notNumber ? (x >>> 16) | 0x40 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** Half bits -> float32 bits. */
function widen(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 31) return (sign | 0x7f800000 | (mantissa << 13)) >>> 0;
  if (exponent > 0) return (sign | ((exponent + 112) << 23) | (mantissa << 13)) >>> 0;
  if (mantissa === 0) return sign >>> 0;
  // A subnormal half is a normal float: move its leading bit to the implicit position.
  const shift = Math.clz32(mantissa) - 21;
  return (sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13)) >>> 0;
}

/** Float32 bits -> half bits. */
function narrow(x: number): number {
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  if (magnitude < 0x33000000) return sign;
  // The result is subnormal: shift the full mantissa right, rounding the bits that fall out.
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - (magnitude >>> 23);
  return sign | ((mantissa + (1 << (shift - 1)) - 1 + ((mantissa >>> shift) & 1)) >>> shift);
}
