/**
 * Training on a GPU: parameters, moments, averages and sums of gradients stay there from step to step. Only
 * batches, the loss, metrics and the norm of the gradient are transferred.
 *
 * A tensor on the GPU is freed by `dispose`, never by the garbage collector, so each one here has one owner: the
 * state. One that was just written is in host memory until the next step has replaced it.
 */
import type { InferenceSession, Tensor } from "onnxruntime-common";
import { ort } from "#ort";
import { SetupError } from "../base/errors.ts";
import { entry, given, item } from "../base/item.ts";
import type { Values } from "../base/value.ts";
import { input } from "../graph/index.ts";
import { emit } from "../onnx/index.ts";
import { checkCount, count, type Kind } from "./arena.ts";
import type { TrainingState, TrainSpec } from "./protocol.ts";
import { createSession, fromOrt, toOrt } from "./session.ts";
import { GRADIENT, kindsOf, NEXT, NORM, stateName, stepScalars } from "./step-graphs.ts";

export class GpuTrainer implements TrainingState {
  readonly #spec: TrainSpec;
  readonly #gradients: InferenceSession;
  readonly #optimizer: InferenceSession;
  /** By rank: the graph that copies a tensor to host memory. */
  readonly #readers = new Map<number, InferenceSession>();
  readonly #state = new Map<string, Tensor>();

  private constructor(spec: TrainSpec, gradients: InferenceSession, optimizer: InferenceSession) {
    this.#spec = spec;
    this.#gradients = gradients;
    this.#optimizer = optimizer;
    const { slots, initial } = spec;
    const zeros = slots.map((slot) => new Float32Array(count(slot)));
    for (const kind of ["sum", ...kindsOf(spec.optimizer)] as const)
      this.write(kind, kind === "param" || kind === "average" ? initial : zeros);
  }

  static async create(spec: TrainSpec): Promise<GpuTrainer> {
    if (spec.preview) throw notInShares();
    const { slots, optimizer, update, ...session } = spec;
    const gradients = slots.map((_, i) => GRADIENT + i);
    const next = kindsOf(optimizer).flatMap((kind) => slots.map((_, i) => NEXT + stateName(kind, i)));
    return new GpuTrainer(
      spec,
      await createSession(session, gradients),
      await createSession({ ...session, model: given(update, "a graph of the update") }, next),
    );
  }

  async forward(feeds: Values, first: boolean): Promise<Values> {
    const tensors = toOrt(this.#gradients, feeds);
    tensors.keep = scalar(first ? 0 : 1);
    for (const [i, { path }] of this.#spec.slots.entries()) {
      tensors[path] = this.#tensor("param", i);
      tensors[stateName("sum", i)] = this.#tensor("sum", i);
    }
    const rest: Record<string, Values[string]> = {};
    for (const [name, tensor] of Object.entries(await this.#gradients.run(tensors)))
      if (name.startsWith(GRADIENT)) this.#replace(stateName("sum", Number(name.slice(GRADIENT.length))), tensor);
      else rest[name] = fromOrt(tensor);
    return rest;
  }

  async preview(): Promise<Values> {
    throw notInShares();
  }

  gradients(): Float32Array {
    throw notInShares();
  }

  async update(step: number, rate: number): Promise<number> {
    const scalars = Object.entries(stepScalars(step, rate, this.#spec.optimizer));
    const feeds = Object.fromEntries([...this.#state, ...scalars.map(([name, x]) => [name, scalar(x)] as const)]);
    const { [NORM]: norm, ...next } = await this.#optimizer.run(feeds);
    const value = item(given(norm, "a norm").data as Float32Array, 0);
    for (const [name, tensor] of Object.entries(next))
      if (Number.isFinite(value)) this.#replace(name.slice(NEXT.length), tensor);
      else tensor.dispose();
    return value;
  }

  async read(what: Kind, only?: number): Promise<Float32Array[]> {
    const indices = only === undefined ? this.#spec.slots.map((_, i) => i) : [only];
    const copies: Float32Array[] = [];
    for (const i of indices) copies.push(await this.#copy(this.#tensor(what, i)));
    return copies;
  }

  write(what: Kind | "sum", data: readonly (Float32Array | undefined)[]): void {
    for (const [i, slot] of this.#spec.slots.entries()) {
      const values = data[i];
      if (!values) continue;
      checkCount(slot, values);
      this.#replace(stateName(what, i), new ort.Tensor("float32", values, slot.shape));
    }
  }

  async release(): Promise<void> {
    for (const tensor of this.#state.values()) tensor.dispose();
    this.#state.clear();
    for (const session of [this.#gradients, this.#optimizer, ...this.#readers.values()]) await session.release();
  }

  #tensor(kind: Kind | "sum", slot: number): Tensor {
    return entry(this.#state, stateName(kind, slot));
  }

  #replace(name: string, tensor: Tensor): void {
    this.#state.get(name)?.dispose();
    this.#state.set(name, tensor);
  }

  /** `getData` of a tensor on the GPU ends the process (ONNX Runtime 1.30), so a graph copies it. */
  async #copy(tensor: Tensor): Promise<Float32Array> {
    if (tensor.location === "cpu") return (tensor.data as Float32Array).slice();
    const rank = tensor.dims.length;
    let reader = this.#readers.get(rank);
    if (!reader) {
      const x = input(
        "x",
        tensor.dims.map((_, axis) => `D${axis}`),
      );
      const model = emit({ y: x }, { target: "webgpu", weight: () => undefined }).bytes;
      reader = await createSession({ model, device: "webgpu", threads: this.#spec.threads });
      this.#readers.set(rank, reader);
    }
    const { y } = await reader.run({ x: tensor });
    return given(y, "y").data as Float32Array;
  }
}

function notInShares(): SetupError {
  return new SetupError("train: expected one process and one piece on a GPU, got several. Train with the device cpu.");
}

function scalar(value: number): Tensor {
  return new ort.Tensor("float32", Float32Array.of(value), []);
}
