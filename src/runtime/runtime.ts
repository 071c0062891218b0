/**
 * The caller's side of the runtime. A Runtime is one worker thread; programs and training states live in it, so the
 * caller's event loop stays alive while they compute.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { gradients } from "../autodiff/index.ts";
import { type ExitCode, SeedlingError, SetupError } from "../base/errors.ts";
import type { Values } from "../base/value.ts";
import { paramAttrs, simplify, sortNodes, type Tensor } from "../graph/index.ts";
import { emit, type StoredWeight } from "../onnx/index.ts";
import type { AdamW, Kind, Slot } from "./arena.ts";
import type { Device, Feeds, Kept, Reply, Request } from "./protocol.ts";
import { GRADIENT, summed, updateOutputs } from "./step-graphs.ts";

export interface RuntimeOptions {
  /** Default "cpu". */
  readonly device?: Device;
  /** Threads of one operation. Default 0: as many as there are cores. */
  readonly threads?: number;
}

/** Where parameters come from: bytes in memory or a place in a file of `folder`. */
export interface WeightSource {
  readonly folder?: string;
  get(path: string): StoredWeight | undefined;
}

/** No stored weights: every parameter is fed. */
export const noWeights: WeightSource = { get: () => undefined };

/** Weights in memory. */
export function mapWeights(weights: ReadonlyMap<string, Float32Array>): WeightSource {
  return {
    get: (path) => {
      const data = weights.get(path);
      return data && { dtype: "f32", data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
    },
  };
}

export interface TrainOptions {
  /** f32 [], what is made small. */
  readonly loss: Tensor;
  /** Other outputs to report. */
  readonly metrics?: Readonly<Record<string, Tensor>>;
  /** The parameters that learn, with their settings and first values. */
  readonly learn: readonly (Slot & { readonly initial: Float32Array })[];
  /** Frozen parameters. */
  readonly weights?: WeightSource;
  readonly optimizer: AdamW;
  readonly accumulate?: number;
  readonly profile?: string;
}

export class Runtime {
  readonly device: Device;
  readonly threads: number;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  readonly #forgotten = new FinalizationRegistry<number>((kept) => this.drop([kept]));
  #nextId = 1;
  #dead: Error | undefined;

  constructor({ device = "cpu", threads = 0 }: RuntimeOptions = {}) {
    this.device = device;
    this.threads = threads;
    this.#worker = new Worker(workerFile());
    this.#worker.on("message", (reply: Reply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new SeedlingError("runtime: the worker thread has ended")));
    this.#worker.unref();
  }

  /** A graph ready to run. */
  async compile(
    outputs: Readonly<Record<string, Tensor>>,
    weights: WeightSource = noWeights,
    profile?: string,
  ): Promise<Program> {
    const { bytes } = emit(outputs, { target: this.device, weight: (path) => weights.get(path) });
    const folder = weights.folder === undefined ? {} : { weightFolder: weights.folder };
    const spec = {
      model: bytes,
      device: this.device,
      threads: this.threads,
      ...folder,
      ...(profile ? { profile } : {}),
    };
    const session = (await this.request({ kind: "load", spec })) as number;
    return new Program(this, session);
  }

  /** A loss, its gradients and the optimizer that follows them. */
  async train({
    loss,
    metrics = {},
    learn,
    weights = noWeights,
    optimizer,
    accumulate = 1,
    profile,
  }: TrainOptions): Promise<Training> {
    const params = new Map<string, Tensor>();
    for (const node of sortNodes([loss, ...Object.values(metrics)]))
      if (node.op === "param") params.set(paramAttrs(node.outputs[0]!).path, node.outputs[0]!);
    const targets = learn.map(({ path }) => {
      const t = params.get(path);
      if (!t) throw new SeedlingError(`train: expected the parameter ${path} in the graph of the loss, found none.`);
      return t;
    });
    const outputs: Record<string, Tensor> = { loss, ...metrics };
    const found = gradients(loss, targets).map((g, i) => {
      if (g) return g;
      throw new SeedlingError(`train: the loss does not depend on ${learn[i]!.path}. Leave it out of what learns.`);
    });
    const onDevice = this.device === "webgpu";
    for (const [i, g] of (onDevice && accumulate > 1 ? summed(found) : found).entries()) outputs[GRADIENT + i] = g;
    const names = Object.keys(outputs);
    for (const [i, t] of simplify(Object.values(outputs)).entries()) outputs[names[i]!] = t;
    const learns = new Set(learn.map(({ path }) => path));
    const weight = (path: string): StoredWeight | undefined => {
      if (learns.has(path)) return undefined;
      const stored = weights.get(path);
      if (!stored)
        throw new SetupError(
          `train: expected weights of the frozen ${path}, found none. Train the stage that learns it, or leave out the loss that reads it.`,
        );
      return stored;
    };
    const { bytes } = emit(outputs, { target: this.device, weight });
    const folder = weights.folder === undefined ? {} : { weightFolder: weights.folder };
    const slots = learn.map(({ path, shape, rateScale, weightDecay }) => ({ path, shape, rateScale, weightDecay }));
    const initial = learn.map((p) => p.initial);
    const fed = { target: this.device, weight: () => undefined };
    const spec = {
      model: bytes,
      device: this.device,
      threads: this.threads,
      ...folder,
      ...(profile ? { profile } : {}),
      slots,
      optimizer,
      accumulate,
      initial,
      ...(onDevice ? { update: emit(updateOutputs(slots, optimizer, accumulate), fed).bytes } : {}),
    };
    const session = (await this.request({ kind: "train", spec })) as number;
    return new Training(this, session, slots);
  }

  /** Frees a kept tensor when nothing here refers to it any more. */
  watch(kept: Kept): void {
    this.#forgotten.register(kept, kept.kept);
  }

  drop(kept: readonly number[]): void {
    if (!this.#dead && kept.length > 0) this.request({ kind: "drop", kept }).catch(() => {}); // closed meanwhile
  }

  request(request: Request): Promise<unknown> {
    if (this.#dead) return Promise.reject(this.#dead);
    const id = this.#nextId++;
    this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, request });
    });
  }

  async close(): Promise<void> {
    this.#dead = new SeedlingError("runtime: closed");
    this.#worker.ref(); // else the process may end before the thread, and whoever awaits this with it
    await this.#worker.terminate();
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0 && !this.#dead) this.#worker.unref();
    if ("error" in reply) waiting?.reject(new SeedlingError(reply.error, (reply.exitCode ?? 1) as ExitCode));
    else waiting?.resolve(reply.result);
  }

  #fail(error: Error): void {
    this.#dead ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }
}

/** A compiled graph. */
export class Program {
  readonly #runtime: Runtime;
  readonly #session: number;

  constructor(runtime: Runtime, session: number) {
    this.#runtime = runtime;
    this.#session = session;
  }

  /** Runs the graph; `fetch` names the outputs wanted, all by default. */
  run(feeds: Values, fetch?: readonly string[]): Promise<Values> {
    return this.#runtime.request({ kind: "run", session: this.#session, feeds, fetch }) as Promise<Values>;
  }

  /** Runs the graph; the outputs named in `keep` stay in the worker and can be fed to a later run, uncopied. */
  async runKeeping(feeds: Feeds, keep: readonly string[]): Promise<Feeds> {
    const out = (await this.#runtime.request({ kind: "run", session: this.#session, feeds, keep })) as Feeds;
    for (const value of Object.values(out)) if ("kept" in value) this.#runtime.watch(value);
    return out;
  }

  /** Rows of the first axis of a kept tensor, in the order wanted, as a new one. */
  async choose({ kept }: Kept, rows: readonly number[]): Promise<Kept> {
    const chosen = (await this.#runtime.request({ kind: "choose", kept, rows })) as Kept;
    this.#runtime.watch(chosen);
    return chosen;
  }

  /** Frees kept tensors. Those that are forgotten are freed too, some time later. */
  drop(kept: readonly Kept[]): void {
    this.#runtime.drop(kept.map((one) => one.kept));
  }

  async close(): Promise<void> {
    await this.#runtime.request({ kind: "free", session: this.#session });
  }
}

/** A training state: parameters, moments, averages. */
export class Training {
  readonly slots: readonly Slot[];
  readonly #runtime: Runtime;
  readonly #session: number;

  constructor(runtime: Runtime, session: number, slots: readonly Slot[]) {
    this.#runtime = runtime;
    this.#session = session;
    this.slots = slots;
  }

  /** Loss and metrics of one micro-batch; `first` starts a new sum of gradients. */
  forward(feeds: Values, first = true): Promise<Values> {
    return this.#runtime.request({ kind: "forward", session: this.#session, feeds, first }) as Promise<Values>;
  }

  /** Optimizer step number `step`, from 1. Returns the gradient norm before clipping; not finite means no step was taken. */
  update(step: number, rate: number): Promise<number> {
    return this.#runtime.request({ kind: "update", session: this.#session, step, rate }) as Promise<number>;
  }

  read(what: Kind): Promise<Float32Array[]> {
    return this.#runtime.request({ kind: "read", session: this.#session, what }) as Promise<Float32Array[]>;
  }

  /** One tensor by name. */
  async readOne(what: Kind, path: string): Promise<Float32Array> {
    const only = this.#index(path);
    const [data] = (await this.#runtime.request({
      kind: "read",
      session: this.#session,
      what,
      only,
    })) as Float32Array[];
    return data!;
  }

  writeOne(what: Kind, path: string, values: Float32Array): Promise<void> {
    const data = Array<Float32Array | undefined>(this.slots.length).fill(undefined);
    data[this.#index(path)] = values;
    return this.write(what, data);
  }

  #index(path: string): number {
    const index = this.slots.findIndex((slot) => slot.path === path);
    if (index < 0) throw new SeedlingError(`training: expected a learning parameter ${path}, found none.`);
    return index;
  }

  /** Replaces the values of tensors, in the order of `slots`; undefined leaves one as it is. */
  async write(what: Kind, data: readonly (Float32Array | undefined)[]): Promise<void> {
    await this.#runtime.request({ kind: "write", session: this.#session, what, data });
  }

  async close(): Promise<void> {
    await this.#runtime.request({ kind: "free", session: this.#session });
  }
}

/** Node runs JavaScript only: from the TypeScript sources (tests) the built worker is used. */
function workerFile(): URL {
  const here = new URL("./worker.js", import.meta.url);
  if (existsSync(fileURLToPath(here))) return here;
  return new URL("../../dist/runtime/worker.js", import.meta.url);
}
