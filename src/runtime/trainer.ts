/** Training on the CPU: a session that yields loss and gradients, and the arena that learns from them. */
import type { InferenceSession, Tensor } from "onnxruntime-common";
import { ort } from "#ort";
import type { Values } from "../base/value.ts";
import { Arena, checkCount, type Kind } from "./arena.ts";
import type { TrainingState, TrainSpec } from "./protocol.ts";
import { createSession, fromOrt, toOrt } from "./session.ts";
import { GRADIENT } from "./step-graphs.ts";

export class Trainer implements TrainingState {
  readonly #spec: TrainSpec;
  readonly #session: InferenceSession;
  readonly #preview: InferenceSession | undefined;
  readonly #arena: Arena;
  readonly #params: Record<string, Tensor> = {};
  readonly #outputs: Record<string, Tensor | null> = {};

  private constructor(spec: TrainSpec, session: InferenceSession, preview: InferenceSession | undefined) {
    this.#spec = spec;
    this.#session = session;
    this.#preview = preview;
    this.#arena = new Arena(spec.slots, {
      averages: spec.optimizer.averageDecay > 0,
      accumulates: spec.accumulate > 1,
    });
    for (const name of session.outputNames) if (!name.startsWith(GRADIENT)) this.#outputs[name] = null;
    for (const [i, { path, shape }] of spec.slots.entries()) {
      this.#params[path] = new ort.Tensor("float32", this.#arena.view("param", i), shape);
      this.#outputs[GRADIENT + i] = new ort.Tensor("float32", this.#arena.view("grad", i), shape);
    }
    this.write("param", spec.initial);
    if (this.#arena.averages) this.write("average", spec.initial);
  }

  static async create(spec: TrainSpec): Promise<Trainer> {
    const { preview } = spec;
    return new Trainer(spec, await createSession(spec), preview && (await createSession({ ...spec, model: preview })));
  }

  async forward(feeds: Values, first: boolean): Promise<Values> {
    const tensors = { ...this.#params, ...toOrt(this.#session, feeds) };
    const out = await this.#session.run(tensors, this.#outputs);
    this.#arena.accumulate(first);
    const rest = Object.entries(out).filter(([name]) => !name.startsWith(GRADIENT));
    return Object.fromEntries(rest.map(([name, t]) => [name, fromOrt(t)]));
  }

  async preview(feeds: Values): Promise<Values> {
    const session = this.#preview;
    if (!session) return {};
    const wanted = new Set(session.inputNames);
    const tensors = Object.entries({ ...this.#params, ...toOrt(session, feeds) }).filter(([name]) => wanted.has(name));
    const out = await session.run(Object.fromEntries(tensors));
    return Object.fromEntries(Object.entries(out).map(([name, t]) => [name, fromOrt(t)]));
  }

  gradients(): Float32Array {
    return this.#arena.sums().slice();
  }

  update(step: number, rate: number, gradients?: Float32Array): number {
    if (gradients) this.#arena.sums().set(gradients);
    return this.#arena.update(step, rate, this.#spec.accumulate, this.#spec.optimizer);
  }

  read(what: Kind, only?: number): Float32Array[] {
    const indices = only === undefined ? this.#spec.slots.map((_, i) => i) : [only];
    return indices.map((i) => this.#arena.view(what, i).slice());
  }

  write(what: Kind, data: readonly (Float32Array | undefined)[]): void {
    for (const [i, slot] of this.#spec.slots.entries()) {
      const values = data[i];
      if (!values) continue;
      checkCount(slot, values);
      this.#arena.view(what, i).set(values);
    }
  }

  async release(): Promise<void> {
    await this.#session.release();
    await this.#preview?.release();
  }
}
