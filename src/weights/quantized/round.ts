/** Floats -> integers with scales, and back. The resulting forms are described in src/onnx/quantized.ts. */

/**
 * One scale per row, symmetric: the largest magnitude of a row becomes 127. The result is transposed.
 * w: f32 [N,K] -> data: i8 [K,N], scale: f32 [N].
 */
export function quantizeRows(w: Float32Array, N: number): { data: Int8Array; scale: Float32Array } {
  const K = w.length / N;
  const data = new Int8Array(w.length);
  const scale = new Float32Array(N);
  for (let n = 0; n < N; n++) {
    let largest = 0;
    for (let i = n * K; i < (n + 1) * K; i++) largest = Math.max(largest, Math.abs(w[i]!));
    scale[n] = largest / 127;
    const step = scale[n] || 1; // a row of zeros, or nearly
    for (let k = 0; k < K; k++) data[k * N + n] = Math.round(w[n * K + k]! / step);
  }
  return { data, scale };
}

/**
 * One scale per block of a row. The value of the largest magnitude becomes the lowest number, which has no positive
 * counterpart and would otherwise be unused.
 * w: f32 [N,K] -> data: u8 [N,blocks,block bits/8], scale: f32 [N,blocks].
 */
export function quantizeBlocks(
  w: Float32Array,
  N: number,
  bits: 4 | 8,
  block: number,
): { data: Uint8Array; scale: Float32Array } {
  const K = w.length / N;
  const blocks = Math.ceil(K / block);
  const bytes = (block * bits) / 8;
  const zero = 2 ** (bits - 1);
  const data = new Uint8Array(N * blocks * bytes).fill(bits === 8 ? zero : zero * 17);
  const scale = new Float32Array(N * blocks);
  for (let n = 0; n < N; n++)
    for (let b = 0; b < blocks; b++) {
      const [begin, end] = [n * K + b * block, n * K + Math.min(K, (b + 1) * block)];
      let largest = 0;
      for (let i = begin; i < end; i++) if (Math.abs(w[i]!) > Math.abs(largest)) largest = w[i]!;
      const at = n * blocks + b;
      scale[at] = largest / -zero;
      const step = scale[at] || 1;
      for (let i = begin; i < end; i++) {
        const q = Math.min(2 * zero - 1, Math.max(0, Math.round(w[i]! / step) + zero));
        const j = i - begin;
        if (bits === 8) data[at * bytes + j] = q;
        else {
          const shift = (j & 1) * 4;
          const byte = at * bytes + (j >> 1);
          data[byte] = (data[byte]! & (0xf0 >> shift)) | (q << shift);
        }
      }
    }
  return { data, scale };
}

/** The floats that `quantizeRows` stands for: f32 [N,K]. */
export function dequantizeRows(data: Int8Array, scale: Float32Array): Float32Array {
  const N = scale.length;
  const K = data.length / N;
  const w = new Float32Array(data.length);
  for (let n = 0; n < N; n++) for (let k = 0; k < K; k++) w[n * K + k] = data[k * N + n]! * scale[n]!;
  return w;
}

/** The floats that `quantizeBlocks` stands for: f32 [N,K]. */
export function dequantizeBlocks(
  data: Uint8Array,
  scale: Float32Array,
  { K, bits, block }: { readonly K: number; readonly bits: 4 | 8; readonly block: number },
): Float32Array {
  const blocks = Math.ceil(K / block);
  const bytes = (block * bits) / 8;
  const zero = 2 ** (bits - 1);
  const w = new Float32Array((scale.length / blocks) * K);
  for (let i = 0; i < w.length; i++) {
    const [n, k] = [Math.floor(i / K), i % K];
    const at = n * blocks + Math.floor(k / block);
    const j = k % block;
    const q = bits === 8 ? data[at * bytes + j]! : (data[at * bytes + (j >> 1)]! >> ((j & 1) * 4)) & 15;
    w[i] = (q - zero) * scale[at]!;
  }
  return w;
}
