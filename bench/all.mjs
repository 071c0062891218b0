/**
 * All benchmarks in order, each next to its peer where that is installed. What cannot run here is skipped with a reason; what
 * changed against the committed results of the same maker of processors is reported.
 *
 *   npm run bench -- [--only train-step,server] [--quick] [--dry] [--gguf SmolLM2-135M-Instruct.Q4_1.gguf]
 *
 * Quick is for trying: few rounds, small sizes, nothing is written.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table, vendor } from "./lib/report.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    dry: { type: "boolean", default: false },
    gguf: { type: "string" },
  },
});
const { gguf } = options;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const python = process.env.BENCH_PYTHON ?? "python3";
const imports =
  (...modules) =>
  () =>
    spawnSync(python, ["-c", `import ${modules.join(", ")}`]).status === 0
      ? undefined
      : `${python} has no ${modules.join(", ")} (BENCH_PYTHON; bench/README.md)`;
const peersInNode = () =>
  existsSync(here("peers/js/node_modules")) ? undefined : "run npm ci --prefix bench/peers/js first";
const ggufFile = () => (gguf && existsSync(gguf) ? undefined : "name the file of SmolLM2: --gguf (bench/README.md)");
const browser = () =>
  [process.env.CHROMIUM_PATH, "/usr/bin/chromium", "/usr/bin/google-chrome"].some((path) => path && existsSync(path))
    ? undefined
    : "found no Chromium (CHROMIUM_PATH)";

/** `needs` say why one cannot run here; `quick` are its smallest sizes. */
const BENCHES = [
  { name: "step-cost", quick: ["--case", "transformer"], writes: false },
  { name: "train-step", needs: [imports("torch")], quick: ["--rounds", "1", "--case", "transformer"] },
  { name: "lora-step", needs: [imports("torch", "peft")], quick: ["--rounds", "1", "--steps", "1"] },
  { name: "diffusion-step", needs: [imports("torch", "diffusers")], quick: [], slow: true },
  { name: "full-size", needs: [imports("torch", "transformers")], quick: [], slow: true },
  {
    name: "lm-decode",
    needs: [ggufFile, peersInNode],
    args: ["--gguf", gguf],
    quick: ["--rounds", "1", "--tokens", "8"],
  },
  { name: "server", quick: ["--seconds", "2", "--clients", "1,8", "--work", "tokenize,chat"] },
  {
    name: "server-peer",
    needs: [ggufFile, peersInNode],
    args: ["--gguf", gguf],
    quick: ["--rounds", "1", "--seconds", "3"],
  },
  { name: "browser", needs: [browser], quick: ["--rounds", "1", "--seconds", "0.3"] },
  { name: "growth", quick: ["--most", "16"] },
];

/** Runs one; undefined if it went well, else what went wrong. @returns {Promise<string | undefined>} */
function run(name, args) {
  const child = spawn(process.execPath, [here(`${name}.mjs`), ...args], { stdio: "inherit" });
  return new Promise((done) => {
    child.on("exit", (code, signal) => done(code === 0 ? undefined : `failed (${signal ?? `exit code ${code}`})`));
  });
}

const wanted = options.only?.split(",");
const unknown = wanted?.find((name) => !BENCHES.some((one) => one.name === name));
if (unknown) throw new Error(`--only: expected ${BENCHES.map(({ name }) => name).join(", ")}, got ${unknown}.`);
const [load] = loadavg();
if (load > 0.5 * cpus().length)
  console.error(`The machine is busy (load average ${load.toFixed(1)}): times will be those of a busy machine.`);

const rows = [];
let failed = 0;
for (const { name, needs = [], args = [], quick, slow = false, writes = true } of BENCHES) {
  if (wanted && !wanted.includes(name)) continue;
  const missing = needs.map((need) => need()).find((reason) => reason) ?? (options.quick && slow && "takes too long");
  if (missing) {
    rows.push([name, "skipped", missing]);
    continue;
  }
  console.log(`\n# ${name}\n`);
  const begun = performance.now();
  const dry = writes && (options.dry || options.quick) ? ["--dry"] : [];
  const problem = await run(name, [...args, ...(options.quick ? quick : []), ...dry]);
  if (problem) failed++;
  rows.push([name, `${((performance.now() - begun) / 60_000).toFixed(1)} min`, problem ?? "done"]);
}
console.log(`\n${vendor()}\n\n${table(["benchmark", "time", "result"], rows)}`);
process.exitCode = failed > 0 ? 1 : 0;
