/** Our side of the decoding comparison. See bench/lm-decode.mjs for the requests. */
import { openLanguageModel } from "../../dist/language/generation/index.js";
import { serve } from "../lib/side.mjs";

let model;

await serve({
  async load({ path, bits, threads }) {
    const start = performance.now();
    model = await openLanguageModel(path, { threads, ...(bits ? { bits } : {}) });
    await model.start().read([[1]]);
    return { ms: performance.now() - start };
  },
  async time({ prompt, tokens }) {
    const state = model.start();
    const start = performance.now();
    let [logits] = await state.read([prompt]);
    const begun = performance.now();
    for (let i = 1; i < tokens; i++) [logits] = await state.read([[likeliest(logits)]]);
    return { prefillMs: begun - start, decodeMs: performance.now() - begun };
  },
  memory: () => ({ peak: process.resourceUsage().maxRSS / 1024 }),
});
await model?.close();

function likeliest(logits) {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}
