/**
 * The caller's side of the runtime. A Runtime is one worker thread; programs and training states live in it, so the
 * caller's event loop stays alive while they compute.
 */
import { gradients } from "../autodiff/index.ts";
import { SeedlingError, SetupError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { keepForDerivative, paramAttrs, simplify, sortNodes, type Tensor } from "../graph/index.ts";
import { loadFiles } from "../io/files.ts";
import { join } from "../io/paths.ts";
import { emit, type StoredWeight } from "../onnx/index.ts";
import type { AdamW, Slot } from "./arena.ts";
import { Channel } from "./channel.ts";
import { Program } from "./program.ts";
import type { Device, SessionSpec, TrainSpec } from "./protocol.ts";
import { GRADIENT, summed, updateOutputs } from "./step-graphs.ts";
import { Training } from "./training.ts";
import { noWeights, type WeightSource } from "./weight-source.ts";

export interface RuntimeOptions {
  /** Default "cpu". */
  readonly device?: Device;
  /** Threads of one operation. Default 0: as many as there are cores. */
  readonly threads?: number;
}

export interface TrainOptions {
  /** f32 [], what is minimized. */
  readonly loss: Tensor;
  /** Other outputs to report. */
  readonly metrics?: Readonly<Record<string, Tensor>>;
  /** The parameters that learn, with their settings and initial values. */
  readonly learn: readonly (Slot & { readonly initial: Float32Array })[];
  /** Frozen parameters. */
  readonly weights?: WeightSource;
  readonly optimizer: AdamW;
  /** Micro-batches per step. Default 1. */
  readonly accumulate?: number;
  /** What `Training.preview` computes. */
  readonly preview?: Readonly<Record<string, Tensor>>;
  readonly profile?: string;
}

export class Runtime {
  readonly device: Device;
  readonly threads: number;
  readonly #channel = new Channel();

  constructor({ device = "cpu", threads = 0 }: RuntimeOptions = {}) {
    this.device = device;
    this.threads = threads;
  }

  /** Compiles a graph. */
  async compile(
    outputs: Readonly<Record<string, Tensor>>,
    weights: WeightSource = noWeights,
    profile?: string,
  ): Promise<Program> {
    const mapped = this.#spec(outputs, weights.folder, (path) => weights.get(path), profile);
    const spec = await withContents(mapped);
    return new Program(this.#channel, (await this.#channel.request({ kind: "load", spec })) as number);
  }

  /** A loss, its gradients and the optimizer that follows them. */
  async train(options: TrainOptions): Promise<Training> {
    const { loss, metrics = {}, learn, weights = noWeights, optimizer, accumulate = 1, preview, profile } = options;
    const onDevice = this.device === "webgpu";
    const names = ["loss", ...Object.keys(metrics)];
    const forward = keepForDerivative([loss, ...Object.values(metrics)]);
    const found = gradientsOf(forward, learn);
    const all = simplify([...forward, ...(onDevice && accumulate > 1 ? summed(found) : found)]);
    names.push(...found.map((_, i) => GRADIENT + i));
    const trained = Object.fromEntries(names.map((name, i) => [name, all[i] as Tensor]));
    const slots = learn.map(({ path, shape, rateScale, weightDecay }) => ({ path, shape, rateScale, weightDecay }));
    const fed = { target: this.device, weight: () => undefined };
    const spec: TrainSpec = {
      ...this.#spec(trained, weights.folder, frozenWeights(options), profile),
      slots,
      optimizer,
      accumulate,
      initial: learn.map(({ initial }) => initial),
      preview: preview && emit(preview, { target: this.device, weight: frozenWeights(options) }).bytes,
      update: onDevice ? emit(updateOutputs(slots, optimizer, accumulate), fed).bytes : undefined,
    };
    return new Training(this.#channel, (await this.#channel.request({ kind: "train", spec })) as number, slots);
  }

  /** Ends the worker. Requests that are under way fail. */
  close(): Promise<void> {
    return this.#channel.close();
  }

  #spec(
    outputs: Readonly<Record<string, Tensor>>,
    folder: string | undefined,
    weight: (path: string) => StoredWeight | undefined,
    profile: string | undefined,
  ): SessionSpec {
    const { bytes, files } = emit(outputs, { target: this.device, weight });
    const weights = folder === undefined ? undefined : { folder, files };
    return { model: bytes, device: this.device, threads: this.threads, weights, profile };
  }
}

/** The files of weights come along where a worker cannot map them from the disk. */
async function withContents(spec: SessionSpec): Promise<SessionSpec> {
  const { weights } = spec;
  const contents = weights && (await loadFiles(weights.files.map((file) => join(weights.folder, file))));
  return contents ? { ...spec, weights: { ...weights, contents } } : spec;
}

/** d loss / d parameter of every parameter that learns. */
function gradientsOf(outputs: readonly Tensor[], learn: TrainOptions["learn"]): Tensor[] {
  const params = new Map<string, Tensor>();
  for (const node of sortNodes(outputs))
    for (const t of node.op === "param" ? node.outputs : []) params.set(paramAttrs(t).path, t);
  const targets = learn.map(({ path }) => {
    const t = params.get(path);
    if (!t) throw new SeedlingError(`train: expected the parameter ${path} in the graph of the loss, found none.`);
    return t;
  });
  const found = gradients(item(outputs, 0), targets);
  return learn.map(({ path }, i) => {
    const g = found[i];
    if (!g) throw new SeedlingError(`train: the loss does not depend on ${path}. Leave it out of what learns.`);
    return g;
  });
}

/** What learns is fed; everything else is frozen and must be stored. */
function frozenWeights({ learn, weights = noWeights }: TrainOptions): (path: string) => StoredWeight | undefined {
  const learns = new Set(learn.map(({ path }) => path));
  return (path) => {
    if (learns.has(path)) return undefined;
    const stored = weights.get(path);
    if (stored) return stored;
    throw new SetupError(
      `train: expected weights of the frozen ${path}, found none. Train the stage that learns it, or leave out the loss that reads it.`,
    );
  };
}
