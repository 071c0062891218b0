/** transformers.js's side of the decoding comparison. See bench/lm-decode.mjs for the requests. */
import { AutoModelForCausalLM, env, Tensor } from "@huggingface/transformers";
import { serve } from "../../lib/side.mjs";

env.allowRemoteModels = false;
let model;

await serve({
  async load({ path, dtype, threads }) {
    const start = performance.now();
    env.localModelPath = "";
    const session_options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
    model = await AutoModelForCausalLM.from_pretrained(path, { dtype, device: "cpu", session_options });
    await generate([1], 1);
    return { ms: performance.now() - start, version: ["transformers.js", env.version] };
  },
  async time({ prompt, tokens }) {
    const start = performance.now();
    await generate(prompt, 1);
    const prefillMs = performance.now() - start;
    const again = performance.now();
    await generate(prompt, tokens);
    return { prefillMs, decodeMs: performance.now() - again - prefillMs };
  },
  memory: () => ({ peak: process.resourceUsage().maxRSS / 1024 }),
});

function generate(prompt, count) {
  const shape = [1, prompt.length];
  const inputs = new Tensor("int64", BigInt64Array.from(prompt, BigInt), shape);
  const attention_mask = new Tensor("int64", new BigInt64Array(prompt.length).fill(1n), shape);
  return model.generate({ inputs, attention_mask, max_new_tokens: count, min_new_tokens: count, do_sample: false });
}
