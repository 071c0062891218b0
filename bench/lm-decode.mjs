/**
 * How fast is SmolLM2-135M-Instruct read and written here, compared with transformers.js and llama.cpp? The same weights (a Q4_1
 * GGUF file), two threads, greedy; the sides alternate.
 *
 *   node bench/lm-decode.mjs --gguf SmolLM2-135M-Instruct.Q4_1.gguf [--rounds 5] [--prompt 128] [--tokens 64] [--threads 2] [--dry]
 *
 * transformers.js wants ONNX files, which bench/peers/export_onnx.py makes of the same weights. See bench/README.md.
 * Requests to a side: `load`, `time`, `memory`.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Rng } from "../dist/base/rng.js";
import { unpackGguf } from "../dist/weights/index.js";
import { setting, table, writeSection } from "./lib/report.mjs";
import { Side } from "./lib/side.mjs";
import { median, quantile } from "./lib/stats.mjs";

const { values: options } = parseArgs({
  options: {
    gguf: { type: "string" },
    folder: { type: "string", default: ".cache/lm-decode" },
    rounds: { type: "string", default: "5" },
    prompt: { type: "string", default: "128" },
    tokens: { type: "string", default: "64" },
    threads: { type: "string", default: "2" },
    dry: { type: "boolean", default: false },
  },
});
if (!options.gguf) throw new Error("lm-decode: expected --gguf with the file of the model. See bench/README.md.");
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const gguf = resolve(options.gguf);
const [hf, onnx] = [join(options.folder, "hf"), join(options.folder, "onnx")];
if (!existsSync(join(hf, "model.safetensors"))) await unpackGguf(gguf, hf);
if (!existsSync(join(onnx, "onnx", "model_q4.onnx"))) {
  const python = process.env.BENCH_EXPORT_PYTHON ?? "python3";
  execFileSync(python, [here("peers/export_onnx.py"), hf, onnx], { stdio: "inherit" });
}

const ours = () => new Side("seedling", process.execPath, [here("sides/lm-decode.mjs")]);
const peer = (file) => new Side(file, process.execPath, [here(`peers/js/${file}.mjs`)]);
const sides = [
  { name: "Seedling, f32", kind: "f32", side: ours(), load: { path: hf } },
  { name: "transformers.js, fp32", kind: "f32", side: peer("transformers"), load: { path: onnx, dtype: "fp32" } },
  { name: "Seedling, 4 bits", kind: "q4", side: ours(), load: { path: hf, bits: 4 } },
  { name: "transformers.js, q4", kind: "q4", side: peer("transformers"), load: { path: onnx, dtype: "q4" } },
  { name: "llama.cpp, Q4_1", kind: "q4", side: peer("llama"), load: { path: gguf } },
];
const rng = new Rng(5);
const prompt = Array.from({ length: Number(options.prompt) }, () => 1000 + rng.int(40_000));
for (const one of sides) {
  one.loaded = await one.side.ask({ do: "load", ...one.load, threads: Number(options.threads) });
  await one.side.ask({ do: "time", prompt: prompt.slice(0, 16), tokens: 4 }); // warm-up
  console.error(`${one.name}: loaded in ${(one.loaded.ms / 1000).toFixed(1)} s`);
  one.prefill = [];
  one.decode = [];
}
for (let round = 0; round < Number(options.rounds); round++) {
  for (const one of round % 2 === 0 ? sides : sides.toReversed()) {
    await sleep(100);
    const { prefillMs, decodeMs } = await one.side.ask({ do: "time", prompt, tokens: Number(options.tokens) });
    one.prefill.push((1000 * prompt.length) / prefillMs);
    one.decode.push((1000 * (Number(options.tokens) - 1)) / decodeMs);
  }
  console.error(`round ${round + 1}: ${sides.map(({ decode }) => decode.at(-1).toFixed(1)).join(" / ")} tokens/s`);
}
const rows = [];
for (const one of sides) {
  const { peak } = await one.side.ask({ do: "memory" });
  const mine = sides.find(({ kind }) => kind === one.kind);
  const ratio = (what) => {
    const ratios = mine[what].map((rate, i) => rate / one[what][i]);
    return `${median(ratios).toFixed(2)} (${quantile(ratios, 0.25).toFixed(2)} to ${quantile(ratios, 0.75).toFixed(2)})`;
  };
  rows.push([
    one.name,
    median(one.prefill).toFixed(0),
    one === mine ? "" : ratio("prefill"),
    median(one.decode).toFixed(1),
    one === mine ? "" : ratio("decode"),
    (one.loaded.ms / 1000).toFixed(1),
    peak.toFixed(0),
  ]);
}
for (const { side } of sides) side.close();
const head = [
  "side",
  "prefill tokens/s",
  "ours / it (quartiles)",
  "decoding tokens/s",
  "ours / it (quartiles) ",
  "load s",
  "peak RSS MiB",
];
const versions = Object.fromEntries(sides.filter(({ loaded }) => loaded.version).map(({ loaded }) => loaded.version));
const body = [
  `${setting(versions)}.`,
  "",
  `Medians of ${options.rounds} alternated rounds: a prompt of ${options.prompt} tokens, then ${options.tokens} tokens one by one, ${options.threads} threads. Above 1 means that we are`,
  "faster. All weights come from one Q4_1 file; q4 rounds them once more, to symmetric blocks of 32.",
  "",
  table(head, rows),
].join("\n");
console.log(body);
if (!options.dry) writeSection("Reading and writing with SmolLM2-135M", body);
