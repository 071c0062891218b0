/** The training steps of `steps.mjs`, built from dist. */

import { Rng } from "../../dist/base/rng.js";
import { input, normal } from "../../dist/graph/index.js";
import { unet } from "../../dist/models/unet.js";
import { block, crossEntropy, layerNorm, linear, mse } from "../../dist/nn/index.js";
import { stage1Loss } from "../../dist/training/losses/stage1.js";
import { batchOf, lossOf, SIZES } from "./steps.mjs";

const parts = { Rng, input, normal, block, crossEntropy, layerNorm, linear, mse, stage1Loss, unet };

export { SIZES };

/** Loss f32 [] of a case. @param {keyof typeof SIZES} name @param {import("../../dist/graph/index.js").Params} p */
export const loss = (name, p) => lossOf(parts, name, p);

/** One batch, the same for the whole run. @param {keyof typeof SIZES} name */
export const batch = (name) => batchOf(parts, name);
