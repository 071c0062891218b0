/** Losses, each a scalar. */
import { constant, type Tensor } from "../graph/index.ts";

/** Mean of squared differences over all elements. */
export function mse(a: Tensor, b: Tensor): Tensor {
  return a.sub(b).square().mean();
}

/**
 * Mean over tokens of 1 - cos(a, b); no epsilon in the norms, as published (docs/published-system.md).
 * @param meanOf the sum of weights to divide by, from that of these tokens; for a batch that is computed in shares
 */
export function cosineLoss(a: Tensor, b: Tensor, weights?: Tensor, meanOf = (sum: Tensor): Tensor => sum): Tensor {
  const dot = a.mul(b).sum(-1);
  const norms = a.square().sum(-1).mul(b.square().sum(-1)).sqrt();
  const cosines = dot.div(norms);
  if (!weights) return constant(1).sub(cosines.mean());
  return constant(1).sub(cosines.mul(weights).sum().div(meanOf(weights.sum())));
}

/**
 * Mean cross entropy with label smoothing over all classes. logits: f32 [N,V], target: i32 [N].
 * Target weight 1 - s + s/V, the others s/V.
 */
export function crossEntropy(logits: Tensor, target: Tensor, smoothing = 0): Tensor {
  const logp = logits.logSoftmax();
  const hit = logp
    .pick(target)
    .mean()
    .mul(smoothing - 1);
  return smoothing === 0 ? hit : hit.sub(logp.mean().mul(smoothing));
}

/**
 * Mean cross entropy over the labels that count. logits: f32 [N,V], labels: i32 [N], a negative one does not count
 * (-100 by convention). Without any that counts it is 0.
 * @param divisor what the sum is divided by, from the number of labels that count; for a batch that is computed in shares
 */
export function labeledCrossEntropy(
  logits: Tensor,
  labels: Tensor,
  divisor = (count: Tensor): Tensor => count.maximum(1),
): Tensor {
  const counts = labels.less(0).cast("f32").neg().add(1);
  const logp = logits.logSoftmax().pick(labels.maximum(0));
  return logp.mul(counts).sum().neg().div(divisor(counts.sum()));
}

/** log(1 + e^x) without overflow: -softplus(-x) is the log of a sigmoid. */
export function softplus(x: Tensor): Tensor {
  return x.maximum(0).add(x.abs().neg().exp().add(1).log());
}
