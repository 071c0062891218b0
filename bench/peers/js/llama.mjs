/** llama.cpp's side of the decoding comparison, through node-llama-cpp. See bench/lm-decode.mjs for the requests. */
import { getLlama } from "node-llama-cpp";
import { serve } from "../../lib/side.mjs";

let context;

await serve({
  async load({ path, threads }) {
    const start = performance.now();
    const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: "error" });
    const model = await llama.loadModel({ modelPath: path });
    context = await model.createContext({ contextSize: 1024, threads, sequences: 1 });
    await time([1], 1);
    return { ms: performance.now() - start, version: ["llama.cpp", llama.llamaCppRelease.release] };
  },
  time: ({ prompt, tokens }) => time(prompt, tokens),
  memory: () => ({ peak: process.resourceUsage().maxRSS / 1024 }),
});

async function time(prompt, tokens) {
  const sequence = context.getSequence();
  const start = performance.now();
  let begun = start;
  let said = 0;
  for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    if (said++ === 0) begun = performance.now();
    if (said === tokens) break;
  }
  const decodeMs = performance.now() - begun;
  await sequence.dispose();
  return { prefillMs: begun - start, decodeMs };
}
