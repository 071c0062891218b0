/**
 * Stage `gill`: image tokens of a frozen language model and a linear map of its hidden states learn to predict the text
 * features of the caption before them, which a diffusion model reads. A twin of codes, for the papers' tables.
 */
import { join } from "node:path";
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { input, Params } from "../../graph/index.ts";
import { openBaseModel } from "../../language/generation/base-model.ts";
import { lmInput } from "../../models/causal-lm.ts";
import { GILL, gillFeatures } from "../../models/gill.ts";
import { vocabularyPaths } from "../../models/language-model.ts";
import { mse } from "../../nn/index.ts";
import { mapWeights } from "../../runtime/index.ts";
import { baseHash } from "../../weights/index.ts";
import { floatWeights } from "../language/float-weights.ts";
import { gillFeeds, writeGill } from "../language/gill-model.ts";
import { batches, numberOf, pickValues } from "../loop/values.ts";
import { cachedPictureData } from "../recipe/picture-keys.ts";
import { count, key, trainingKeys } from "../recipe/training-keys.ts";
import { defineStage } from "./definition.ts";
import { clipFeatures } from "./frozen-features.ts";
import { cachedFeatures, openCaptionedPictures } from "./picture-stage.ts";
import { CLIP_SIZES } from "./sizes.ts";

export const gill = defineStage({
  name: "gill",
  about: "Hidden states of a frozen language model learn to predict the text features of a caption.",
  paper: "GILL, which the paper compares with (arXiv 2307.08041, table 2)",
  recipe: z.strictObject({
    ...trainingKeys,
    data: cachedPictureData,
    length: key(count, "tokens of a caption and the image tokens after it; a longer caption loses its end"),
  }),
  needs: ["clip"],
  uses: ["language model"],
  owns: [],
  sizes: [...CLIP_SIZES],
  async build(c) {
    const opened = await openCaptionedPictures(c);
    const { recipe, runtime } = c;
    const path = c.sources.base ?? join(c.root, "lm-pretrain/model");
    const base = await openBaseModel(path);
    const hash = await baseHash(path);
    c.dependsOn("language model", hash);
    const tokenizer = await base.tokenizer();
    const { maxPositions: N, width: D } = opened.config.textEncoder;
    const T = recipe.length;
    if (T <= N || T > base.config.context)
      throw new InputError(
        `${c.where}: length: expected more than ${N} image tokens and at most ${base.config.context}, got ${T}.`,
      );
    const config = { ...base.config, addedTokens: N };
    const sizes = { base: path, tokens: N, width: D, length: T };
    const clip = await clipFeatures(c, opened, ["text"]);
    const { train, validation } = await cachedFeatures(c, opened.data, clip);
    const frozen = await floatWeights(base, join(c.shared, "floats", `${hash}.safetensors`), c.onProgress);
    const lossOf = (p: Params, B: number) => {
      const feeds = lmInput(config, { batch: B, tokens: T });
      const features = gillFeatures(p, feeds, input("places", [B, N], "i32"), config, D);
      return mse(features, input("text", [B, N, D]));
    };
    return {
      stage: {
        name: "gill",
        learns: [`${vocabularyPaths(config).embeddings}.added`, GILL],
        frozen,
        build: (p, B) => ({ loss: lossOf(p, B) }),
        async batch({ examples }) {
          const { values, captions } = await train.shuffledBatch(examples, ["text"]);
          return { ...pickValues(values, ["text"]), ...gillFeeds(captions, tokenizer, config, sizes) };
        },
        async evaluate(weights) {
          const B = Math.min(50, validation.count);
          const own = mapWeights(weights);
          const source = { ...frozen, get: (name: string) => own.get(name) ?? frozen.get(name) };
          const program = await runtime.compile({ loss: lossOf(new Params(), B) }, source);
          let [sum, parts] = [0, 0];
          for (const { start, size } of batches(validation.count, B)) {
            if (size < B) continue;
            const { values, captions } = await validation.range(start, size, ["text"]);
            const feeds = { ...pickValues(values, ["text"]), ...gillFeeds(captions, tokenizer, config, sizes) };
            sum += numberOf(await program.run(feeds), "loss");
            parts++;
          }
          await program.close();
          return { textError: sum / Math.max(parts, 1) };
        },
      },
      finish: () => writeGill(c.stageFolder, sizes),
    };
  },
});
