/** Messages between the caller's thread and the worker that runs ONNX Runtime (whose `run` blocks its thread). */
import type { Value, Values } from "../base/value.ts";
import type { AdamW, Kind, Slot } from "./arena.ts";

export type Device = "cpu" | "webgpu";

/** A tensor that a run left in the worker for a later one, such as the cache of a language model. */
export interface Kept {
  readonly kept: number;
}
export type Feeds = Readonly<Record<string, Value | Kept>>;

export interface SessionSpec {
  readonly model: Uint8Array;
  readonly device: Device;
  /** Threads of one operation; 0 leaves the choice to ONNX Runtime. */
  readonly threads: number;
  /** Files with weights that the model names, and the folder that they are in. */
  readonly weights?: {
    readonly folder: string;
    readonly files: readonly string[];
    /** The files themselves, where there is no disk to map them from. */
    readonly contents?: readonly Blob[];
  };
  /** File for ONNX Runtime's profile, without its extension. */
  readonly profile?: string;
}

/** `model` outputs the loss, metrics and gradients. */
export interface TrainSpec extends SessionSpec {
  readonly slots: readonly Slot[];
  readonly optimizer: AdamW;
  /** Micro-batches that make one step. */
  readonly accumulate: number;
  /** Initial values in the order of `slots`. */
  readonly initial: readonly Float32Array[];
  /** The optimizer as a model, for a device that holds the state. */
  readonly update?: Uint8Array;
  /** A model of what is computed before a step, from the same parameters. */
  readonly preview?: Uint8Array;
}

/** A training state in the worker. */
export interface TrainingState {
  /** Loss and other outputs of one micro-batch; its gradients are added to those of the step, or begin them. */
  forward(feeds: Values, first: boolean): Promise<Values>;
  /** Outputs of `TrainSpec.preview`. */
  preview(feeds: Values): Promise<Values>;
  /** The sums of gradients of this step, one tensor after the other, as `update` takes them back. */
  gradients(): Float32Array;
  /**
   * Optimizer step number `step`, from 1. Returns the norm of the gradient; if it is not finite, nothing changes.
   * @param gradients in place of the sums
   */
  update(step: number, rate: number, gradients?: Float32Array): number | Promise<number>;
  /** Copies of all tensors, or of `only` one. */
  read(what: Kind, only?: number): Float32Array[] | Promise<Float32Array[]>;
  /** Replaces the values of tensors; undefined leaves one as it is. */
  write(what: Kind, data: readonly (Float32Array | undefined)[]): void;
  release(): Promise<void>;
}

/** A row of the first axis of a kept tensor [N,...,P,D], without the first `from` of its P positions. */
export interface KeptRow {
  readonly kept: number;
  readonly row: number;
  readonly from: number;
}

export type Request =
  | { readonly kind: "load"; readonly spec: SessionSpec }
  | {
      readonly kind: "run";
      readonly session: number;
      readonly feeds: Feeds;
      readonly fetch?: readonly string[] | undefined;
      /** Outputs that stay in the worker. */
      readonly keep?: readonly string[] | undefined;
    }
  /** Rows of kept tensors as a new one: see `Program.gather`. */
  | { readonly kind: "gather"; readonly rows: readonly KeptRow[] }
  | { readonly kind: "drop"; readonly kept: readonly number[] }
  | { readonly kind: "train"; readonly spec: TrainSpec }
  | { readonly kind: "forward"; readonly session: number; readonly feeds: Values; readonly first: boolean }
  | { readonly kind: "preview"; readonly session: number; readonly feeds: Values }
  | { readonly kind: "gradients"; readonly session: number }
  | {
      readonly kind: "update";
      readonly session: number;
      readonly step: number;
      readonly rate: number;
      readonly gradients?: Float32Array | undefined;
    }
  | { readonly kind: "read"; readonly session: number; readonly what: Kind; readonly only?: number | undefined }
  | {
      readonly kind: "write";
      readonly session: number;
      readonly what: Kind;
      readonly data: readonly (Float32Array | undefined)[];
    }
  | { readonly kind: "free"; readonly session: number }
  /** Frees everything; nothing comes after it. */
  | { readonly kind: "close" };

/** A request on its way; replies carry its id. */
export interface Message {
  readonly id: number;
  readonly request: Request;
}

export type Reply = { readonly id: number } & (
  | { readonly result: unknown }
  | { readonly error: string; readonly exitCode?: number }
);
