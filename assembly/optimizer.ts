// AdamW over flat float32 arrays, four at a time (AssemblyScript, compiled to WebAssembly SIMD by `npm run kernels`).
// One pass over memory where a graph of element-wise nodes needs thirteen. Addresses are bytes, counts are floats,
// and every count is a multiple of 4 (the arena pads each tensor).

/** Sum of squares in float64: the squared gradient norm. */
export function sumSquares(x: usize, count: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let i = 0; i < count; i += 4) {
    const v = v128.load(x + ((<usize>i) << 2));
    const a = f64x2.promote_low_f32x4(v);
    const b = f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  const total = f64x2.add(low, high);
  return f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1);
}

/** y += x. */
export function accumulate(y: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(y + at, f32x4.add(v128.load(y + at), v128.load(x + at)));
  }
}

/** average = decay average + (1 - decay) p. */
export function average(average: usize, p: usize, count: i32, decay: f32): void {
  const d = f32x4.splat(decay);
  const r = f32x4.splat(1 - decay);
  for (let i = 0; i < count; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(average + at, f32x4.add(f32x4.mul(d, v128.load(average + at)), f32x4.mul(r, v128.load(p + at))));
  }
}

/**
 * One AdamW step (Loshchilov & Hutter 2019, algorithm 2) as PyTorch does it:
 * p -= rate decay p; m, v moving averages of scale g and its square; p -= rate/c1 m / (sqrt(v)/sqrt(c2) + eps).
 * @param scale factor on the gradient: clipping, and the mean over accumulated batches
 * @param step rate / (1 - beta1^t)
 * @param root 1 / sqrt(1 - beta2^t)
 */
export function adamw(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  count: i32,
  scale: f32,
  keep: f32,
  step: f32,
  root: f32,
  beta1: f32,
  beta2: f32,
  eps: f32,
): void {
  const b1 = f32x4.splat(beta1);
  const r1 = f32x4.splat(1 - beta1);
  const b2 = f32x4.splat(beta2);
  const r2 = f32x4.splat(1 - beta2);
  const s = f32x4.splat(scale);
  const k = f32x4.splat(keep);
  const a = f32x4.splat(step);
  const q = f32x4.splat(root);
  const e = f32x4.splat(eps);
  for (let i = 0; i < count; i += 4) {
    const at = (<usize>i) << 2;
    const grad = f32x4.mul(s, v128.load(g + at));
    const m1 = f32x4.add(f32x4.mul(b1, v128.load(m + at)), f32x4.mul(r1, grad));
    const v1 = f32x4.add(f32x4.mul(b2, v128.load(v + at)), f32x4.mul(r2, f32x4.mul(grad, grad)));
    v128.store(m + at, m1);
    v128.store(v + at, v1);
    const update = f32x4.div(f32x4.mul(a, m1), f32x4.add(f32x4.mul(f32x4.sqrt(v1), q), e));
    v128.store(p + at, f32x4.sub(f32x4.mul(k, v128.load(p + at)), update));
  }
}
