/**
 * Proof that our models compute the numbers of the official modules: runs a fixture folder (format and bounds in
 * test/fixtures/tiny-a/README.md) on ONNX Runtime and compares every tensor it holds.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { CheckpointError, InputError } from "../../base/errors.ts";
import { entry, item } from "../../base/item.ts";
import { input, Params, paramAttrs, sortNodes, type Tensor } from "../../graph/index.ts";
import type { Node } from "../../graph/tensor.ts";
import { fileError } from "../../io/files.ts";
import type { FloatWeight, StoredWeight } from "../../onnx/index.ts";
import { Runtime, type Value, type WeightSource } from "../../runtime/index.ts";
import { openSafetensors, openTorch, type TensorFile } from "../../weights/index.ts";
import { ourNames } from "../../weights/official.ts";
import { type Reference, stage1Case, stage2Case, v1Case, v2Case } from "./parity-cases.ts";
import { type ParityConfig, parseParityConfig } from "./parity-config.ts";
import { checkPreprocessing } from "./parity-preprocess.ts";
import { compare, compareExactly, missing, type ParityLine } from "./parity-report.ts";

export { formatParity, type ParityLine } from "./parity-report.ts";

export interface ParityReport {
  readonly lines: readonly ParityLine[];
  /** True if every line holds. */
  readonly holds: boolean;
}

/** The folder itself and the parts that a complete set has. */
const SECTIONS = ["", "reverse", "v1", "stage1"];

/** @throws InputError if the folder holds no fixture, CheckpointError if a file of it is damaged or does not fit. */
export async function checkParity(folder: string): Promise<ParityReport> {
  const sections = SECTIONS.filter((section) => existsSync(join(folder, section, "config.json")));
  const preprocess = join(folder, "preprocess.safetensors");
  if (sections.length === 0 && !existsSync(preprocess))
    throw new InputError(`${folder}: expected a parity fixture (config.json, model and io.safetensors), found none.`);
  const lines: ParityLine[] = [];
  const runtime = new Runtime({ threads: 1 });
  try {
    for (const section of sections) lines.push(...(await checkSection(runtime, join(folder, section), section)));
    if (existsSync(preprocess)) lines.push(...(await checkPreprocessing(preprocess)));
  } finally {
    await runtime.close();
  }
  return { lines, holds: lines.every(({ holds }) => holds) };
}

async function checkSection(runtime: Runtime, folder: string, section: string): Promise<ParityLine[]> {
  const where = join(folder, "config.json");
  const text = await readFile(where, "utf8").catch((error: unknown) => {
    throw fileError(error, where);
  });
  const config = parseParityConfig(text, where);
  const [whole, pickled] = [join(folder, "model.safetensors"), join(folder, "model.pt")];
  const weights = existsSync(whole) || !existsSync(pickled) ? await openSafetensors(whole) : await openTorch(pickled);
  try {
    const lines = await checkReference(runtime, folder, "io.safetensors", weights, config);
    if (config.kind === "v2-inference" && existsSync(join(folder, "stage2.safetensors")))
      lines.push(...(await checkReference(runtime, folder, "stage2.safetensors", weights, config)));
    if (weights.path === whole && existsSync(pickled)) lines.push(await sameTensors(pickled, weights));
    return lines.map((line) => ({ ...line, name: section ? `${section}/${line.name}` : line.name }));
  } finally {
    await weights.close();
  }
}

/** Runs what one reference file asks for; a tensor of it that we do not compute fails. */
async function checkReference(
  runtime: Runtime,
  folder: string,
  file: string,
  weights: TensorFile,
  config: ParityConfig,
): Promise<ParityLine[]> {
  const stored = await openSafetensors(join(folder, file));
  try {
    const p = new Params();
    const reference = referenceOf(stored);
    const built = build(p, reference, file, config);
    const expected = reference.names.filter((name) => !isInput(name));
    if (expected.length === 0) throw new CheckpointError(`${stored.path}: expected recorded outputs, found none.`);
    const wanted = Object.keys(built).filter((name) => expected.includes(name));
    const outputs = Object.fromEntries(wanted.map((name) => [name, entry(built, name)]));
    const program = await runtime.compile(outputs, await weightsOf(weights, p, Object.values(outputs), folder));
    const feeds: Record<string, Value> = {};
    for (const name of fedNames(Object.values(outputs))) feeds[FEED + name] = await readValue(stored, name);
    const actual = await program.run(feeds);
    await program.close();
    const lines: ParityLine[] = [];
    for (const name of wanted) lines.push(compare(name, entry(actual, name), await readValue(stored, name)));
    return [...lines, ...expected.filter((name) => !wanted.includes(name)).map(missing)];
  } finally {
    await stored.close();
  }
}

function build(
  p: Params,
  ref: Reference,
  file: string,
  { kind, model, smoothing }: ParityConfig,
): Record<string, Tensor> {
  if (file === "stage2.safetensors") return stage2Case(p, ref, model);
  if (kind === "stage1-training") return stage1Case(p, ref, model, smoothing ?? 0);
  const out = kind === "v1-inference" ? v1Case(p, ref, model) : v2Case(p, ref, model);
  return { ...out, ...probes(ref, Object.values(out)) };
}

/** `probe.<module>.in` through that module's own LayerNorm, as it stands in the graph. */
function probes(ref: Reference, outputs: readonly Tensor[]): Record<string, Tensor> {
  const norms = new Map<string, Node<"layerNorm">>();
  for (const node of sortNodes(outputs)) {
    const scale = node.inputs[1];
    if (node.op === "layerNorm" && scale?.node.op === "param")
      norms.set(paramAttrs(scale).path.replace(/\.weight$/, ""), node as Node<"layerNorm">);
  }
  const out: Record<string, Tensor> = {};
  for (const name of ref.names) {
    const module = /^probe\.(.+)\.out$/.exec(name)?.[1];
    const norm = module === undefined ? undefined : norms.get(module);
    if (norm)
      out[name] = ref.feed(`probe.${module}.in`).layerNorm(item(norm.inputs, 1), item(norm.inputs, 2), norm.attrs.eps);
  }
  return out;
}

/** What the reference gives and does not ask for. Codes are both. */
function isInput(name: string): boolean {
  return name.startsWith("input.") || name === "extra.indices" || /^probe\..*\.in$/.test(name);
}

/** Set before the names of graph inputs: codes are fed and computed under one name. */
const FEED = "feed:";

function referenceOf(file: TensorFile): Reference {
  const inputs = new Map<string, Tensor>();
  return {
    names: [...file.tensors.keys()],
    feed(name) {
      const info = file.tensors.get(name);
      if (!info) throw new CheckpointError(`${file.path}: expected a tensor ${name}, found none.`);
      const made = inputs.get(name) ?? input(FEED + name, info.shape, isInteger(info.dtype) ? "i32" : "f32");
      inputs.set(name, made);
      return made;
    },
  };
}

function isInteger(dtype: string): boolean {
  return /^[IU]\d/.test(dtype);
}

async function readValue(file: TensorFile, name: string): Promise<Value> {
  const { shape, dtype } = entry(file.tensors, name);
  const floats = await file.readFloat32(name);
  return { shape, data: isInteger(dtype) ? Int32Array.from(floats) : floats };
}

function fedNames(outputs: readonly Tensor[]): string[] {
  const inputs = sortNodes(outputs).filter((node) => node.op === "input") as Node<"input">[];
  return inputs.map(({ attrs }) => attrs.name.slice(FEED.length));
}

const STORED: Readonly<Record<string, FloatWeight["dtype"]>> = { F32: "f32", F16: "f16", BF16: "bf16" };

/** The parameters that `outputs` need. @throws CheckpointError listing every missing, misshaped or mistyped one. */
async function weightsOf(
  file: TensorFile,
  p: Params,
  outputs: readonly Tensor[],
  folder: string,
): Promise<WeightSource> {
  const problems: string[] = [];
  const weights = new Map<string, StoredWeight>();
  const used = new Set(sortNodes(outputs));
  const stored = new Map([...ourNames(file.tensors.keys())].map(([name, ours]) => [ours, name]));
  for (const [path, { shape, node }] of p.declared()) {
    const name = stored.get(path) ?? path;
    const info = file.tensors.get(name);
    const dtype = STORED[info?.dtype ?? ""];
    if (!used.has(node)) continue;
    if (!info) problems.push(`${path} is missing`);
    else if (!dtype || String(info.shape) !== String(shape))
      problems.push(`${path}: expected floats [${shape}], got ${info.dtype} [${info.shape}]`);
    else {
      const { offset, byteLength } = info;
      const place = offset === undefined ? undefined : { file: basename(info.file), offset, byteLength };
      weights.set(path, { dtype, data: place ?? (await file.readBytes(name)) });
    }
  }
  if (problems.length > 0)
    throw new CheckpointError(
      `${file.path}: ${problems.length} parameters do not fit: ${problems.join("; ")}.`,
      problems,
    );
  return { folder, get: (path) => weights.get(path) };
}

/** The same state dict as torch.save wrote it: how many tensors differ in a byte, a shape or a name. */
async function sameTensors(path: string, weights: TensorFile): Promise<ParityLine> {
  const other = await openTorch(path);
  try {
    const names = new Set([...weights.tensors.keys(), ...other.tensors.keys()]);
    let different = 0;
    for (const name of names) {
      const [a, b] = [weights.tensors.get(name), other.tensors.get(name)];
      const alike = a && b && a.dtype === b.dtype && String(a.shape) === String(b.shape);
      if (!alike || Buffer.compare(await weights.readBytes(name), await other.readBytes(name)) !== 0) different++;
    }
    return compareExactly("model.pt", different, names.size, "tensors");
  } finally {
    await other.close();
  }
}
