/**
 * llama.cpp behind HTTP, through node-llama-cpp, with as many sequences side by side as clients: what it computes for
 * several of them is one batch. Prints its address and version; ends with its input.
 *
 *   node llama-server.mjs <model.gguf> <threads> <sequences>
 */
import { createServer } from "node:http";
import { getLlama, resolveChatWrapper } from "node-llama-cpp";

const [file, threads = "2", sequences = "8"] = process.argv.slice(2);
const llama = await getLlama({ gpu: false, build: "never", maxThreads: Number(threads), logLevel: "error" });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({
  contextSize: 512,
  threads: Number(threads),
  sequences: Number(sequences),
  batchSize: 512,
});
const wrapper = resolveChatWrapper(model);

const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const { messages, max_tokens: most } = JSON.parse(body);
  const chatHistory = [
    ...messages.map(({ content }) => ({ type: "user", text: content })),
    { type: "model", response: [""] },
  ];
  const prompt = wrapper.generateContextState({ chatHistory }).contextText.tokenize(model.tokenizer);
  const sequence = context.getSequence();
  const said = [];
  for await (const token of sequence.evaluate(prompt, { temperature: 0 })) {
    said.push(token);
    if (said.length === most) break;
  }
  await sequence.dispose();
  const answer = {
    choices: [{ message: { role: "assistant", content: model.detokenize(said) } }],
    usage: { prompt_tokens: prompt.length, completion_tokens: said.length },
  };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
});
server.listen(0, "127.0.0.1", () => {
  console.log(
    JSON.stringify({ url: `http://127.0.0.1:${server.address().port}`, version: llama.llamaCppRelease.release }),
  );
});
process.stdin.on("end", () => process.exit(0)).resume();
