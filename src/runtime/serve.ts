/** What runs in the worker: ONNX Runtime sessions and training states, answering one request at a time. */
import type { InferenceSession, Tensor } from "onnxruntime-common";
import { ort } from "#ort";
import { SeedlingError, SetupError } from "../base/errors.ts";
import type { Value } from "../base/value.ts";
import type { Feeds, Kept, KeptRow, Message, Reply, Request, TrainingState, TrainSpec } from "./protocol.ts";
import { createSession, fromOrt, toOrt } from "./session.ts";

export interface ServerOptions {
  /** Opens a training state. Without it there is no training, nor the code for it. */
  readonly train?: (spec: TrainSpec) => Promise<TrainingState>;
}

/** ONNX Runtime computes one request at a time in a thread, whoever asks. */
let queue: Promise<unknown> = Promise.resolve();

/** A function that answers messages in the order in which they come. It never rejects. */
export function server(options: ServerOptions): (message: Message) => Promise<Reply> {
  const held = new Held(options);
  return ({ id, request }) => {
    const reply = queue.then(async (): Promise<Reply> => {
      try {
        return { id, result: await held.answer(request) };
      } catch (error) {
        const { message, exitCode } = translate(error);
        return { id, error: message, exitCode };
      }
    });
    queue = reply;
    return reply;
  };
}

/** What is open, by number. */
class Held {
  readonly #options: ServerOptions;
  readonly #sessions = new Map<number, InferenceSession>();
  readonly #trainings = new Map<number, TrainingState>();
  readonly #kept = new Map<number, Tensor>();
  #nextSession = 1;
  #nextKept = 1;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  async answer(request: Request): Promise<unknown> {
    switch (request.kind) {
      case "load":
        this.#sessions.set(this.#nextSession, await createSession(request.spec));
        return this.#nextSession++;
      case "train":
        this.#trainings.set(this.#nextSession, await this.#train(request.spec));
        return this.#nextSession++;
      case "run":
        return this.#run(request.session, request.feeds, request.fetch, new Set(request.keep));
      case "gather":
        return this.#keep(gather(request.rows.map((row) => ({ ...row, tensor: this.#find(row.kept) }))));
      case "drop":
        for (const id of request.kept) this.#kept.delete(id);
        return;
      case "forward":
        return open(this.#trainings, request.session).forward(request.feeds, request.first);
      case "update":
        return open(this.#trainings, request.session).update(request.step, request.rate, request.gradients);
      case "preview":
        return open(this.#trainings, request.session).preview(request.feeds);
      case "gradients":
        return open(this.#trainings, request.session).gradients();
      case "read":
        return open(this.#trainings, request.session).read(request.what, request.only);
      case "write":
        return open(this.#trainings, request.session).write(request.what, request.data);
      case "free": {
        const found = this.#sessions.get(request.session) ?? this.#trainings.get(request.session);
        this.#sessions.delete(request.session);
        this.#trainings.delete(request.session);
        return found?.release();
      }
      case "close":
        for (const open of [...this.#sessions.values(), ...this.#trainings.values()]) await open.release();
        for (const map of [this.#sessions, this.#trainings, this.#kept]) map.clear();
        return;
    }
  }

  async #run(
    id: number,
    feeds: Feeds,
    fetch: readonly string[] | undefined,
    keep: ReadonlySet<string>,
  ): Promise<Feeds> {
    const session = open(this.#sessions, id);
    const fed: Record<string, Value> = {};
    const tensors: Record<string, Tensor> = {};
    for (const [name, value] of Object.entries(feeds)) {
      if ("kept" in value) tensors[name] = this.#find(value.kept);
      else fed[name] = value;
    }
    Object.assign(tensors, toOrt(session, fed));
    const out = fetch ? await session.run(tensors, fetch) : await session.run(tensors);
    return Object.fromEntries(
      Object.entries(out).map(([name, t]) => [name, keep.has(name) ? this.#keep(t) : fromOrt(t)] as const),
    );
  }

  #train(spec: TrainSpec): Promise<TrainingState> {
    const { train } = this.#options;
    if (!train)
      throw new SetupError("runtime: training runs in Node only. Train there and open the model folder here.");
    return train(spec);
  }

  #keep(t: Tensor): Kept {
    this.#kept.set(this.#nextKept, t);
    return { kept: this.#nextKept++ };
  }

  #find(id: number): Tensor {
    const found = this.#kept.get(id);
    if (found) return found;
    throw new SeedlingError(`runtime: kept tensor ${id} was dropped`);
  }
}

function open<T>(map: ReadonlyMap<number, T>, id: number): T {
  const found = map.get(id);
  if (found) return found;
  throw new SeedlingError(`runtime: session ${id} is closed`);
}

/** See `Program.gather`. */
function gather(rows: readonly (KeptRow & { readonly tensor: Tensor })[]): Tensor {
  const places = (dims: readonly number[]): number => dims.at(-2) ?? 1;
  const dims = rows[0]?.tensor.dims ?? [];
  const [middle, D] = [dims.slice(1, -2), dims.at(-1) ?? 1];
  const M = middle.reduce((product, size) => product * size, 1);
  const longest = Math.max(...rows.map(({ tensor, from }) => places(tensor.dims) - from));
  const out = new Float32Array(rows.length * M * longest * D);
  for (const [i, { tensor, row, from }] of rows.entries()) {
    const [data, P] = [tensor.data as Float32Array, places(tensor.dims)];
    for (let m = 0; m < M; m++) {
      const start = (row * M + m) * P;
      out.set(data.subarray((start + from) * D, (start + P) * D), ((i * M + m + 1) * longest - (P - from)) * D);
    }
  }
  return new ort.Tensor("float32", out, [rows.length, ...middle, longest, D]);
}

/** ONNX Runtime's message in one line, with a fix where the cause is known. */
function translate(error: unknown): SeedlingError {
  if (error instanceof SeedlingError) return error;
  const text = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").trim();
  if (/alloc|out of memory/i.test(text))
    return new SetupError(`runtime: out of memory (${text}). Use a smaller batch.`);
  return new SeedlingError(`runtime: ${text}`);
}
