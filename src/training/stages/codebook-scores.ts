/** How well codes do on validation pictures: retrieval, minimal pairs, drafts from all and from the first codes, health. */
import { join } from "node:path";
import { dot } from "../../base/vectors.ts";
import { contactSheet } from "../../data/sheet.ts";
import { codebookHealth } from "../../evaluation/metrics/codebook-health.ts";
import { retrieval, unitRows } from "../../evaluation/metrics/retrieval.ts";
import { input, type Outputs, Params, type Tensor } from "../../graph/index.ts";
import { fromTensor } from "../../image/index.ts";
import { latentsToPixels } from "../../image-decoder/training-graphs.ts";
import { writeFileAtomic } from "../../io/files.ts";
import { type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { imageFeature } from "../../models/contrastive.ts";
import { vitTokens } from "../../models/eva-vit.ts";
import {
  causalEmbeddings,
  decodeVectors,
  draftLatents,
  quantize,
  queriesOf,
  reconstructEmbeddings,
  visionContext,
} from "../../models/seed-tokenizer.ts";
import type { VaeConfig } from "../../models/vae.ts";
import { mapWeights, type Program, type Runtime, type Values } from "../../runtime/index.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import { type Pictures, take } from "../data/pictures.ts";
import { batches, floatsOf, joined, namedValue, pickValues } from "../loop/values.ts";
import { keepPrefix } from "../losses/nested-dropout.ts";
import type { Weights } from "./definition.ts";
import { type PairFeatures, pairScores } from "./qformer-scores.ts";

export interface CodebookScoreOptions {
  readonly config: SeedlingConfig;
  readonly validation: FeatureCache;
  readonly pairs: PairFeatures;
  readonly runtime: Runtime;
  /** Weights of stage 1. */
  readonly frozen: Weights;
}

const BATCH = 100;
/** Learned only where prefixes of the codes were trained. */
const MISSING = "quantize.missing";
/** Validation pictures on a sheet of drafts. */
const SHOWN = 12;
/** Numbers of codes whose drafts are measured: all, half of them, ... */
const kept = (all: number): readonly number[] => [1, 2, 4, 8].map((part) => Math.ceil(all / part));

/** Where the causal embeddings come from: cached, or of a Causal Q-Former that continued to learn with the codes. */
function sourceOf(weights: Weights): "y" | "tokens" {
  return weights.has("query_tokens") ? "tokens" : "y";
}

function embeddingsFrom(p: Params, source: "y" | "tokens", config: SeedlingConfig): Tensor {
  const seed = seedConfig(config);
  if (source === "y") return input("y", ["B", queriesOf(config), config.qformer.hidden]);
  const tokens = input("tokens", ["B", vitTokens(seed.vision), seed.vision.width]);
  return causalEmbeddings(p, visionContext(p, tokens, seed), seed);
}

/** The embeddings rebuilt from the first codes, those with a 1 in `keep` f32 [B,32,1]. */
function rebuilt(
  p: Params,
  y: Tensor,
  config: SeedlingConfig,
  prefixes: boolean,
): { readonly ids: Tensor; readonly embeddings: Tensor } {
  const seed = seedConfig(config);
  const { zq, ids } = quantize(p, y, seed);
  const read = prefixes ? keepPrefix(p.at("quantize"), zq, input("keep", ["B", zq.size(1), 1])) : zq;
  return { ids, embeddings: reconstructEmbeddings(p, decodeVectors(p, read, seed), seed) };
}

/** `keep` for the graphs above, if the model has vectors for what is left out. */
function keeping(count: number, [codes, all]: readonly [number, number], prefixes: boolean): Values {
  if (!prefixes) return {};
  const data = Float32Array.from({ length: count * all }, (_, i) => (i % all < codes ? 1 : 0));
  return { keep: { shape: [count, all, 1], data } };
}

export async function codebookScores(
  weights: Weights,
  { config, validation, pairs, runtime, frozen }: CodebookScoreOptions,
): Promise<Record<string, number>> {
  const seed = seedConfig(config);
  const prefixes = weights.has(MISSING);
  const p = new Params();
  const [source, all] = [sourceOf(weights), queriesOf(config)];
  const y = embeddingsFrom(p, source, config);
  const { ids, embeddings } = rebuilt(p, y, config, prefixes);
  const draft = weights.has("draft.queries") && config.draft;
  const outputs: Outputs = {
    ...{ ids, before: imageFeature(p, y, seed), after: imageFeature(p, embeddings, seed) },
    ...(draft && { draft: draftLatents(p, embeddings, seed) }),
  };
  const program = await runtime.compile(outputs, mapWeights(new Map([...frozen, ...weights])));
  const run = (cached: Values, codes = all): Promise<Values> => {
    const seen = namedValue(cached, source);
    return program.run({ [source]: seen, ...keeping(seen.shape[0] ?? 0, [codes, all], prefixes) });
  };
  const parts: Values[] = [];
  const names: string[] = [];
  const errors = new Map<number, number>();
  try {
    for (const { start, size } of batches(validation.count, BATCH)) {
      const cached = [source, "caption", ...(draft ? ["latents"] : [])];
      const { values, captions } = await validation.range(start, size, cached);
      const out = await run(values);
      parts.push({ ...out, caption: namedValue(values, "caption") });
      names.push(...captions);
      if (!draft) continue;
      for (const codes of prefixes ? kept(all) : [all]) {
        const of = codes === all ? out : await run(values, codes);
        const error = squaredError(floatsOf(of, "draft"), floatsOf(values, "latents"));
        errors.set(codes, (errors.get(codes) ?? 0) + (error * size) / validation.count);
      }
    }
    const rows = (name: string, from = parts): Float32Array[] => unitRows(joined(from, name), config.contrastiveWidth);
    const [before, after, captions] = [rows("before"), rows("after"), rows("caption")];
    const [byEmbeddings, byCodes] = [retrieval(before, captions, names), retrieval(after, captions, names)];
    const health = codebookHealth(
      Int32Array.from(parts.flatMap((values) => [...namedValue(values, "ids").data])),
      config.codebook.codes,
    );
    const scores = {
      recallMean: byCodes.mean,
      imageToTextR1: byCodes.imageToText.r1,
      keptPercent: (100 * byCodes.mean) / byEmbeddings.mean,
      cosine: before.reduce((sum, row, i) => sum + dot(row, after[i] ?? row), 0) / before.length,
      perplexity: health.perplexity,
      distinctCodes: health.distinct,
      leastEntropyBits: Math.min(...health.entropyBits),
      mostEntropyBits: Math.max(...health.entropyBits),
      ...Object.fromEntries([...errors].map(([codes, error]) => [`draftError/${codes}`, error])),
    };
    if (pairs.kinds.length === 0 || !pairs.parts[0]?.["changed"]) return scores;
    const seen: Values[] = [];
    for (const features of pairs.parts) seen.push({ ...features, image: namedValue(await run(features), "after") });
    return { ...scores, ...pairScores(pairs, (name) => rows(name, seen)) };
  } finally {
    await program.close();
  }
}

function squaredError(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + (x - (b[i] ?? 0)) ** 2, 0) / a.length;
}

export interface DraftSheetOptions extends CodebookScoreOptions {
  readonly vae: { readonly config: VaeConfig; readonly weights: Weights };
  readonly pictures: Pictures;
  /** Where sheets go. */
  readonly folder: string;
}

/** Writes `samples-<step>.png`: validation pictures, and their drafts from 32, 16, 8 and 4 codes. */
export async function draftSheet(
  options: DraftSheetOptions,
): Promise<(weights: Weights, step: number) => Promise<void>> {
  const { config, validation, runtime, frozen, vae, pictures, folder } = options;
  const originals = await take(pictures, 0, Math.min(SHOWN, validation.count));
  const { values } = await validation.range(0, originals.length, ["y", "tokens"]);
  const [size, all] = [config.vision.imageSize, queriesOf(config)];
  const graph = (p: Params, source: "y" | "tokens", prefixes: boolean): Outputs => {
    const { embeddings } = rebuilt(p, embeddingsFrom(p, source, config), config, prefixes);
    return { pixels: latentsToPixels(p, draftLatents(p, embeddings, seedConfig(config)), vae.config) };
  };
  return async (weights, step) => {
    const prefixes = weights.has(MISSING);
    const source = sourceOf(weights);
    const numbers = mapWeights(new Map([...vae.weights, ...frozen, ...weights]));
    const program: Program = await runtime.compile(graph(new Params(), source, prefixes), numbers);
    const rows = originals.map((picture) => ({ ...picture }));
    for (const codes of prefixes ? kept(all) : [all]) {
      const pixels = floatsOf(
        await program.run({ ...pickValues(values, [source]), ...keeping(originals.length, [codes, all], prefixes) }),
        "pixels",
      );
      const caption = `${codes} codes`;
      rows.push(...originals.map((_, i) => ({ image: fromTensor(pixels, size, size, i), caption })));
    }
    await program.close();
    const sheet = await contactSheet(rows, { columns: originals.length, zoom: 2 });
    await writeFileAtomic(join(folder, `samples-${String(step).padStart(6, "0")}.png`), sheet);
  };
}
