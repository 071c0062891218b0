/**
 * The state of a training run on the CPU: parameters, gradients, moments and averages as flat float32 arrays in one
 * WebAssembly memory. ONNX Runtime reads parameters and writes gradients in place; the SIMD kernels of `assembly/` take
 * the optimizer step in one pass.
 */
import { SeedlingError, SetupError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { kernelsBase64 } from "./kernels.ts";

interface Kernels {
  sumSquares(x: number, count: number): number;
  accumulate(y: number, x: number, count: number): void;
  average(average: number, p: number, count: number, decay: number): void;
  adamw(
    p: number,
    g: number,
    m: number,
    v: number,
    count: number,
    scale: number,
    keep: number,
    step: number,
    root: number,
    beta1: number,
    beta2: number,
    eps: number,
  ): void;
}

/** A named tensor of the arena. */
export interface Slot {
  readonly path: string;
  readonly shape: readonly number[];
  /** Multiplies the learning rate. */
  readonly rateScale: number;
  /** Decoupled weight decay per step, at learning rate 1. */
  readonly weightDecay: number;
}

export interface AdamW {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Largest global norm of the gradient; Infinity turns clipping off. */
  readonly clipNorm: number;
  /** Decay of the moving average of weights, 0 for none. */
  readonly averageDecay: number;
}

/** What the arena keeps of each tensor. */
export type Kind = "param" | "m" | "v" | "average";

const PAGE = 65536;

export class Arena {
  readonly slots: readonly Slot[];
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Kernels;
  readonly #starts: number[] = [];
  /** Floats of one copy of all tensors, each padded to a multiple of 16. */
  readonly #stride: number;
  readonly #bases: Record<Kind | "grad" | "sum", number>;

  constructor(slots: readonly Slot[], { averages, accumulates }: { averages: boolean; accumulates: boolean }) {
    this.slots = slots;
    let floats = 0;
    for (const slot of slots) {
      this.#starts.push(floats);
      floats += (count(slot) + 15) & ~15;
    }
    this.#stride = floats;
    const copies = 4 + Number(averages) + Number(accumulates);
    const first = 1024; // the first bytes stay unused so that no address is 0
    const pages = Math.ceil((first + copies * floats * 4) / PAGE);
    if (pages > 65536)
      throw new SetupError(
        `training: expected at most 4 GiB of state, got ${((pages * PAGE) / 2 ** 30).toFixed(1)} GiB. Train fewer parameters.`,
      );
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const base = (copy: number): number => first + copy * floats * 4;
    const last = copies - 1;
    this.#bases = {
      param: base(0),
      grad: base(1),
      m: base(2),
      v: base(3),
      average: averages ? base(4) : 0,
      sum: accumulates ? base(last) : base(1),
    };
    const module = new WebAssembly.Module(Uint8Array.from(atob(kernelsBase64), (c) => c.charCodeAt(0)));
    const abort = (): never => {
      throw new Error("kernel aborted");
    };
    this.#kernels = new WebAssembly.Instance(module, { env: { memory: this.#memory, abort } })
      .exports as unknown as Kernels;
  }

  /** The floats of one tensor, in place. */
  view(kind: Kind | "grad", index: number): Float32Array<ArrayBuffer> {
    const offset = this.#bases[kind] + item(this.#starts, index) * 4;
    return new Float32Array(this.#memory.buffer, offset, count(item(this.slots, index)));
  }

  get averages(): boolean {
    return this.#bases.average !== 0;
  }

  /** Adds the gradients of one micro-batch to the sum of the batch, which `first` starts at zero. */
  accumulate(first: boolean): void {
    if (this.#bases.sum === this.#bases.grad) return;
    if (first) new Float32Array(this.#memory.buffer, this.#bases.sum, this.#stride).fill(0);
    this.#kernels.accumulate(this.#bases.sum, this.#bases.grad, this.#stride);
  }

  /** The sums of gradients, in place: all tensors, each padded with zeros. */
  sums(): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#memory.buffer, this.#bases.sum, this.#stride);
  }

  /** Global norm of the gradient, averaged over `parts` accumulated micro-batches. */
  norm(parts: number): number {
    return Math.sqrt(this.#kernels.sumSquares(this.#bases.sum, this.#stride)) / parts;
  }

  /** One AdamW step; `t` counts from 1. Returns the gradient norm before clipping. A norm that is not finite changes nothing. */
  update(t: number, rate: number, parts: number, options: AdamW): number {
    const norm = this.norm(parts);
    if (!Number.isFinite(norm)) return norm;
    const { beta1, beta2, eps, clipNorm, averageDecay } = options;
    const scale = Math.min(1, clipNorm / (norm + 1e-6)) / parts;
    const root = 1 / Math.sqrt(1 - beta2 ** t);
    for (const [i, slot] of this.slots.entries()) {
      const at = item(this.#starts, i) * 4;
      const padded = (count(slot) + 15) & ~15;
      const r = rate * slot.rateScale;
      const { param, sum, m, v } = this.#bases;
      const step = r / (1 - beta1 ** t);
      this.#kernels.adamw(
        param + at,
        sum + at,
        m + at,
        v + at,
        padded,
        scale,
        1 - r * slot.weightDecay,
        step,
        root,
        beta1,
        beta2,
        eps,
      );
    }
    // Early averages follow quickly, as the initial weights are random.
    if (this.averages) {
      const decay = Math.min(averageDecay, (1 + t) / (10 + t));
      this.#kernels.average(this.#bases.average, this.#bases.param, this.#stride, decay);
    }
    return norm;
  }
}

/** Elements of a tensor. */
export function count(slot: Slot): number {
  return slot.shape.reduce((a, b) => a * b, 1);
}

/** @throws SeedlingError if the number of `values` is not that of the tensor's elements. */
export function checkCount(slot: Slot, values: Float32Array): void {
  if (values.length !== count(slot))
    throw new SeedlingError(`${slot.path}: expected ${count(slot)} values, got ${values.length}.`);
}
