/**
 * Stage `pixel-codes`: codes without meaning, a twin of SEED's. The same tower, queries and codebook learn from
 * scratch to rebuild the picture and nothing else, as a VQ autoencoder does: no captions, no frozen features. In a model
 * folder, what it trains takes the place of tower, Causal Q-Former and codebook. van den Oord et al. 2017; arXiv
 * 2307.08041 section 2.
 */
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { codebookHealth } from "../../evaluation/metrics/codebook-health.ts";
import { input, type Params, Params as Root, stopGradient, type Tensor } from "../../graph/index.ts";
import { pixelsToLatents } from "../../image-decoder/training-graphs.ts";
import { seedConfig } from "../../models/config.ts";
import { draftCells, draftVectors } from "../../models/draft.ts";
import { evaVit } from "../../models/eva-vit.ts";
import {
  causalEmbeddings,
  decodeVectors,
  quantize,
  queriesOf,
  reconstructEmbeddings,
  visionContext,
} from "../../models/seed-tokenizer.ts";
import { mapWeights, type Values } from "../../runtime/index.ts";
import { CODEBOOK, CodebookKeeper } from "../codebook/keeper.ts";
import { startAtMeans } from "../codebook/start-at-means.ts";
import { type Picture, take, takeThose } from "../data/pictures.ts";
import { normalizedPixels, plainPixels } from "../data/pixels.ts";
import type { Part } from "../loop/shares.ts";
import { batches, namedValue, numberOf } from "../loop/values.ts";
import { draftLoss } from "../losses/draft.ts";
import { pictureData } from "../recipe/picture-keys.ts";
import { key, share, trainingKeys, weight } from "../recipe/training-keys.ts";
import { defineStage } from "./definition.ts";
import { openCaptionedPictures } from "./picture-stage.ts";
import { firstQueries } from "./qformer-start.ts";
import { CLIP_SIZES, CODEBOOK_SIZES, QFORMER_SIZES } from "./sizes.ts";

const TOWER = ["visual_encoder", "ln_vision", "vision_positions"];
const QUERIES = ["query_tokens", "Qformer"];
const CODES = ["quantize", "encode_task_layer", "decode_task_layer", "pos_embed", "blocks", "draft"];

export const pixelCodes = defineStage({
  name: "pixel-codes",
  about: "A VQ autoencoder of the same network: codes that rebuild the picture and carry no meaning.",
  paper: "the pilot's VQ-VAE (arXiv 2307.08041, section 2)",
  recipe: z.strictObject({
    ...trainingKeys,
    data: pictureData,
    commitment: key(weight.default(1), "weight of the codebook term and the commitment"),
    emaDecay: key(share.default(0.99), "decay of the codes' moving averages"),
    reviveAfter: key(z.int().min(0).default(100), "steps without use after which a code is revived; 0 for never"),
    sharpness: key(z.number().min(0).max(20).default(0), "as in stage causal-qformer"),
    regions: key(z.boolean().default(false), "as in stage causal-qformer"),
  }),
  needs: ["clip", "vae"],
  replaces: ["causal-qformer", "codebook"],
  owns: [...TOWER, ...QUERIES, ...CODES],
  sizes: [...CLIP_SIZES, ...QFORMER_SIZES, ...CODEBOOK_SIZES, "vae"],
  async build(c) {
    const { sizes, size, data, config } = await openCaptionedPictures(c);
    const { recipe, runtime } = c;
    const { draft } = config;
    if (!draft) throw new InputError(`${c.where}: expected draft in model.json, found none.`);
    const seed = seedConfig(config);
    const [Q, K, E] = [queriesOf(config), config.codebook.codes, config.codebook.width];
    const frozen = await c.weights("vae");
    const keeper = new CodebookKeeper(K, E, { ...recipe, learn: "ema" });
    const lossesOf = (p: Params, B: number) => {
      const tokens = evaVit(p.at("visual_encoder"), input("pixels", [B, 3, size, size]), seed.vision);
      const y = causalEmbeddings(p, visionContext(p, tokens, seed), seed);
      const { ids, z, zq, loss: codebook } = quantize(p, y, seed);
      const rebuilt = reconstructEmbeddings(p, decodeVectors(p, zq, seed), seed);
      const cells = draftCells(p.at("draft"), draftVectors(p.at("draft"), rebuilt, draft, seed.qformer), draft);
      const latents = stopGradient(pixelsToLatents(p, input("plain", [B, 3, size, size]), sizes.vae));
      return { ids, z, codebook, draft: draftLoss(cells, latents, draft.cell) };
    };
    const feeds = (pictures: readonly Picture[]): Values => {
      return { pixels: normalizedPixels(pictures, config), plain: plainPixels(pictures, size) };
    };
    const batch = async ({ examples }: Part): Promise<Values> => feeds(await takeThose(data.train, examples));
    const build = (p: Params, B: number): { loss: Tensor; metrics: Record<string, Tensor> } => {
      const { ids, z, codebook, draft: error } = lossesOf(p, B);
      const loss = error.add(codebook.mul(recipe.commitment));
      return { loss, metrics: { draftLoss: error, codebookLoss: codebook, ids, z } };
    };
    return {
      stage: {
        name: "pixel-codes",
        learns: [...TOWER.slice(0, config.contextPositions ? 3 : 2), ...QUERIES, ...CODES],
        frozen: mapWeights(frozen),
        start: recipe.sharpness > 0 ? firstQueries({ build }, config, recipe, c.where) : undefined,
        rateScale: (path) => (path === CODEBOOK ? 0 : 1),
        build,
        batch,
        async prepare(training, prepared, work) {
          const means = { codes: K, width: E, vectors: Q, seed: recipe.seed, runtime, feeds: batch };
          await startAtMeans(training, prepared, means, work);
          keeper.begin(await training.readOne("param", CODEBOOK), (prepared.of * Q) / K);
        },
        afterStep: (step, outputs, training, rng) => keeper.afterStep(step, outputs, training, rng),
        state: () => keeper.state(),
        restore: (state) => keeper.restore(state),
        async evaluate(weights) {
          const all = mapWeights(new Map([...frozen, ...weights]));
          const count = recipe.data.validation;
          const B = Math.min(50, count);
          const { ids, draft: error } = lossesOf(new Root(), B);
          const program = await runtime.compile({ ids, error }, all);
          const codes: number[] = [];
          let [sum, parts] = [0, 0];
          for (const { start, size: some } of batches(count, B)) {
            if (some < B) continue;
            const out = await program.run(feeds(await take(data.validation, start, some)));
            codes.push(...namedValue(out, "ids").data);
            sum += numberOf(out, "error");
            parts++;
          }
          await program.close();
          const { perplexity, distinct } = codebookHealth(Int32Array.from(codes), K);
          return { draftError: sum / Math.max(parts, 1), perplexity, distinctCodes: distinct };
        },
      },
    };
  },
});
