/**
 * Fréchet distance of two sets of features: of the normal distributions with their means and covariances, in float64.
 * Heusel et al. 2017. The trace of the root of C1 C2 is the sum of the roots of the eigenvalues of S C2 S, where S is the
 * root of C1: that matrix is symmetric, so nothing becomes complex and a singular covariance needs no correction.
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { UsageError } from "../../base/errors.ts";

/** Mean and unbiased covariance of features. */
export interface FeatureStats {
  readonly mean: readonly number[];
  /** [D][D]. */
  readonly covariance: readonly (readonly number[])[];
}

/** features: f32 [D] each, at least two. @throws UsageError for fewer, or for rows of different widths */
export function featureStats(features: readonly Float32Array[]): FeatureStats {
  const [count, width] = [features.length, features[0]?.length ?? 0];
  if (count < 2) throw new UsageError(`FID: expected at least two pictures, got ${count}.`);
  const odd = features.find((row) => row.length !== width);
  if (odd) throw new UsageError(`FID: expected features of width ${width}, got ${odd.length}.`);
  const mean = Array.from({ length: width }, (_, j) => features.reduce((sum, row) => sum + (row[j] ?? 0), 0) / count);
  const sums = mean.map(() => new Float64Array(width));
  for (const row of features) {
    const centered = Float64Array.from(row, (value, j) => value - (mean[j] ?? 0));
    for (const [i, line] of sums.entries()) {
      const own = centered[i] ?? 0;
      for (let j = i; j < width; j++) line[j] = (line[j] ?? 0) + own * (centered[j] ?? 0);
    }
  }
  const at = (i: number, j: number): number => (sums[Math.min(i, j)]?.[Math.max(i, j)] ?? 0) / (count - 1);
  return { mean, covariance: mean.map((_, i) => mean.map((_, j) => at(i, j))) };
}

/** At least 0, in squared units of the features. @throws UsageError for statistics of different widths */
export function frechetDistance(a: FeatureStats, b: FeatureStats): number {
  const [width, other] = [a.mean.length, b.mean.length];
  if (width !== other) throw new UsageError(`FID: expected features of one width, got ${width} and ${other}.`);
  const [c1, c2] = [a, b].map(({ covariance }) => new Matrix(covariance.map((row) => [...row]))) as [Matrix, Matrix];
  const root = squareRoot(c1);
  const eigenvalues = symmetric(root.mmul(c2).mmul(root)).realEigenvalues;
  const cross = eigenvalues.reduce((sum, value) => sum + Math.sqrt(Math.max(value, 0)), 0);
  const shift = a.mean.reduce((sum, value, i) => sum + (value - (b.mean[i] ?? 0)) ** 2, 0);
  return Math.max(0, shift + c1.trace() + c2.trace() - 2 * cross);
}

/** FID of two sets of features, such as those of generated and of real pictures. */
export function fid(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  return frechetDistance(featureStats(a), featureStats(b));
}

/** Of a symmetric matrix without negative eigenvalues, but for rounding. */
function squareRoot(matrix: Matrix): Matrix {
  const { eigenvectorMatrix: vectors, realEigenvalues } = symmetric(matrix);
  const roots = Matrix.diag(realEigenvalues.map((value) => Math.sqrt(Math.max(value, 0))));
  return vectors.mmul(roots).mmul(vectors.transpose());
}

function symmetric(matrix: Matrix): EigenvalueDecomposition {
  return new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
}
