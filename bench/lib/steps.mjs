/**
 * The training steps that are compared and counted: sizes, graphs of the loss, and random batches. What they are built
 * from is handed in, so that the benchmarks (from dist) and the tests (from src) build the same.
 */

/** Sizes by name; the peer builds the same models from them. */
export const SIZES = {
  transformer: { batch: 32, tokens: 64, patch: 192, width: 256, depth: 6, heads: 8, classes: 100 },
  "causal-qformer": {
    batch: 64,
    features: 65,
    featureWidth: 192,
    hidden: 192,
    layers: 6,
    heads: 6,
    intermediate: 768,
    words: 24,
    vocabulary: 1000,
    contrastiveWidth: 256,
  },
  unet: {
    batch: 32,
    context: 32,
    sampleSize: 16,
    inChannels: 16,
    outChannels: 16,
    blockOutChannels: [64, 128],
    layersPerBlock: 2,
    downBlockTypes: ["DownBlock2D", "CrossAttnDownBlock2D"],
    upBlockTypes: ["CrossAttnUpBlock2D", "UpBlock2D"],
    crossAttentionDim: 64,
    attentionHeads: 4,
    normNumGroups: 16,
  },
};

const EPS = 1e-6;

/** Loss f32 [] of a case. @param {any} parts @param {keyof typeof SIZES} name @param {any} p */
export function lossOf({ input, normal, block, crossEntropy, layerNorm, linear, mse, stage1Loss, unet }, name, p) {
  if (name === "transformer") {
    const { batch: B, tokens: T, patch, width: D, depth, heads, classes } = SIZES.transformer;
    let x = linear(p.at("patch"), input("x", [B, T, patch]), D).add(p.get("position", [1, T, D], normal(0.02)));
    for (let i = 0; i < depth; i++) x = block(p.at("blocks", i), x, { heads, hidden: 4 * D, eps: EPS, qkvBias: "all" });
    const pooled = layerNorm(p.at("norm"), x, EPS).mean(1);
    return crossEntropy(linear(p.at("head"), pooled, classes), input("target", [B], "i32"));
  }
  if (name === "unet") {
    const { batch: B, context, ...config } = SIZES.unet;
    const image = (key) => input(key, [B, config.inChannels, config.sampleSize, config.sampleSize]);
    const y = unet(p, image("x"), input("t", [B]), input("context", [B, context, config.crossAttentionDim]), config);
    return mse(y, image("target"));
  }
  const { batch: B, features, featureWidth, words, contrastiveWidth, ...q } = SIZES["causal-qformer"];
  const qformer = { ...q, causal: true, maxPositions: words };
  const batch = {
    tokens: input("tokens", [B, features, featureWidth]),
    textIds: input("ids", [B, words], "i32"),
    textMask: input("mask", [B, words], "i32"),
  };
  return stage1Loss(p, batch, { qformer, contrastiveWidth }).loss;
}

/** One batch, the same for the whole run. @param {any} parts @param {keyof typeof SIZES} name */
export function batchOf({ Rng }, name) {
  const rng = new Rng(7);
  const floats = (...shape) => ({ shape, data: fill(new Float32Array(product(shape)), () => rng.normal()) });
  const ints = (below, ...shape) => ({
    shape,
    data: fill(new Int32Array(product(shape)), () => Math.floor(rng.next() * below)),
  });
  if (name === "transformer") {
    const { batch: B, tokens, patch, classes } = SIZES.transformer;
    return { x: floats(B, tokens, patch), target: ints(classes, B) };
  }
  if (name === "unet") {
    const { batch: B, context, inChannels: C, sampleSize: Y, crossAttentionDim } = SIZES.unet;
    const t = { shape: [B], data: fill(new Float32Array(B), () => Math.floor(rng.next() * 1000)) };
    return { x: floats(B, C, Y, Y), t, context: floats(B, context, crossAttentionDim), target: floats(B, C, Y, Y) };
  }
  const { batch: B, features, featureWidth, words, vocabulary } = SIZES["causal-qformer"];
  const mask = { shape: [B, words], data: new Int32Array(B * words) };
  for (let b = 0; b < B; b++) mask.data.fill(1, b * words, b * words + 8 + (b % (words - 7)));
  return { tokens: floats(B, features, featureWidth), ids: ints(vocabulary, B, words), mask };
}

function product(shape) {
  return shape.reduce((a, b) => a * b, 1);
}

function fill(array, value) {
  for (let i = 0; i < array.length; i++) array[i] = value();
  return array;
}
