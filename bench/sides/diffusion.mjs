/** Our side of the comparison with diffusers. See bench/diffusion-step.mjs for the requests. */
import { join } from "node:path";
import { unetPart, vaePart } from "../../dist/image-decoder/parts.js";
import { readUnetConfig, readVaeConfig } from "../../dist/models/diffusers-config.js";
import { Runtime } from "../../dist/runtime/index.js";
import { checkedWeights } from "../../dist/weights/mapped/weights.js";
import { CASES } from "../lib/diffusers-configs.mjs";
import { serve } from "../lib/side.mjs";

const TOKENS = 77;

export function builtPart({ what, side, config }) {
  return what === "unet"
    ? unetPart(readUnetConfig(config, "config"), TOKENS)
    : vaePart(readVaeConfig(config, "config"), side);
}

/** The same numbers as the peer has. */
function waves(shape, step) {
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(step * i));
  return { shape, data };
}

if (process.argv[2] === "serve") {
  let program;
  let feeds;
  let output;
  await serve({
    async load({ name, what, side, folder, threads }) {
      const { outputs, stored } = builtPart(CASES[name]);
      const weights = await checkedWeights(join(folder, "diffusion_pytorch_model.safetensors"), stored.shapes);
      const { config } = CASES[name];
      feeds = { latents: waves([1, 4, side, side], 0.37) };
      if (what === "unet") {
        feeds.timesteps = { shape: [1], data: Float32Array.of(500) };
        feeds.context = waves([1, TOKENS, config.cross_attention_dim], 0.11);
        const classes = config.projection_class_embeddings_input_dim;
        if (classes) feeds.class_embedding = waves([1, classes], 0.23);
      }
      output = what === "unet" ? "answer" : "pixels";
      program = await new Runtime({ threads }).compile(outputs, weights);
      const { data } = (await program.run(feeds))[output];
      return { sample: [...data.slice(0, 64)] };
    },
    async time() {
      const start = performance.now();
      await program.run(feeds);
      return { ms: performance.now() - start };
    },
    memory: () => ({ peak: process.resourceUsage().maxRSS / 1024 }),
  });
  process.exit(0); // the worker thread of the runtime would keep it
}
