/** A training state, as its caller holds it: parameters, moments, averages. */
import { SeedlingError } from "../base/errors.ts";
import type { Values } from "../base/value.ts";
import type { Kind, Slot } from "./arena.ts";
import type { Channel } from "./channel.ts";

export class Training {
  readonly slots: readonly Slot[];
  readonly #channel: Channel;
  readonly #session: number;

  constructor(channel: Channel, session: number, slots: readonly Slot[]) {
    this.#channel = channel;
    this.#session = session;
    this.slots = slots;
  }

  /** Loss and metrics of one micro-batch; `first` starts a new sum of gradients. */
  forward(feeds: Values, first = true): Promise<Values> {
    return this.#channel.request({ kind: "forward", session: this.#session, feeds, first }) as Promise<Values>;
  }

  /** What `TrainOptions.preview` asks for, of a micro-batch, with the parameters as they are. */
  preview(feeds: Values): Promise<Values> {
    return this.#channel.request({ kind: "preview", session: this.#session, feeds }) as Promise<Values>;
  }

  /** The sum of the gradients of this step's micro-batches, all parameters in one array, for `update`. */
  gradients(): Promise<Float32Array<ArrayBuffer>> {
    return this.#channel.request({ kind: "gradients", session: this.#session }) as Promise<Float32Array<ArrayBuffer>>;
  }

  /**
   * Optimizer step number `step`, from 1. Returns the gradient norm before clipping; not finite means no step was taken.
   * @param gradients in place of the sum that `gradients` returns: that of several processes
   */
  update(step: number, rate: number, gradients?: Float32Array): Promise<number> {
    return this.#channel.request({ kind: "update", session: this.#session, step, rate, gradients }) as Promise<number>;
  }

  /** Copies of all tensors, in the order of `slots`. */
  read(what: Kind): Promise<Float32Array[]> {
    return this.#read(what);
  }

  /** A copy of one tensor. @throws SeedlingError if no parameter that learns has this path */
  async readOne(what: Kind, path: string): Promise<Float32Array> {
    const [data] = await this.#read(what, this.#index(path));
    return data as Float32Array;
  }

  #read(what: Kind, only?: number): Promise<Float32Array[]> {
    return this.#channel.request({ kind: "read", session: this.#session, what, only }) as Promise<Float32Array[]>;
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
    await this.#channel.request({ kind: "write", session: this.#session, what, data });
  }

  async close(): Promise<void> {
    await this.#channel.request({ kind: "free", session: this.#session });
  }
}
