/** The worker thread: owns ONNX Runtime sessions and training states, answers one request at a time. */
import { parentPort } from "node:worker_threads";
import type * as ort from "onnxruntime-node";
import { Tensor } from "onnxruntime-node";
import { SeedlingError, SetupError } from "../base/errors.ts";
import type { Value } from "../base/value.ts";
import { GpuTrainer } from "./gpu-trainer.ts";
import { createSession, fromOrt, toOrt } from "./ort.ts";
import type { Feeds, Kept, Reply, Request, TrainingState } from "./protocol.ts";
import { Trainer } from "./trainer.ts";

const sessions = new Map<number, ort.InferenceSession>();
const trainings = new Map<number, TrainingState>();
let nextSession = 1;
const kept = new Map<number, ort.Tensor>();
let nextKept = 1;

function open<T>(map: ReadonlyMap<number, T>, id: number): T {
  const found = map.get(id);
  if (found) return found;
  throw new SeedlingError(`runtime: session ${id} is closed`);
}

async function run(
  id: number,
  feeds: Feeds,
  fetch: readonly string[] | undefined,
  keep: ReadonlySet<string>,
): Promise<Feeds> {
  const session = open(sessions, id);
  const fed: Record<string, Value> = {};
  const tensors: Record<string, ort.Tensor> = {};
  for (const [name, value] of Object.entries(feeds)) {
    if ("kept" in value) tensors[name] = find(value.kept);
    else fed[name] = value;
  }
  Object.assign(tensors, toOrt(session, fed));
  const out = fetch ? await session.run(tensors, fetch) : await session.run(tensors);
  return Object.fromEntries(
    Object.entries(out).map(([name, t]) => [name, keep.has(name) ? store(t) : fromOrt(t)] as const),
  );
}

function store(t: ort.Tensor): Kept {
  kept.set(nextKept, t);
  return { kept: nextKept++ };
}

function find(id: number): ort.Tensor {
  const found = kept.get(id);
  if (found) return found;
  throw new SeedlingError(`runtime: kept tensor ${id} was dropped`);
}

/** Rows of the first axis, in the order wanted. */
function choose(t: ort.Tensor, rows: readonly number[]): ort.Tensor {
  const data = t.data as Float32Array;
  const size = data.length / t.dims[0]!;
  const out = new Float32Array(size * rows.length);
  for (const [i, row] of rows.entries()) out.set(data.subarray(row * size, (row + 1) * size), i * size);
  return new Tensor("float32", out, [rows.length, ...t.dims.slice(1)]);
}

async function answer(request: Request): Promise<unknown> {
  switch (request.kind) {
    case "load":
      sessions.set(nextSession, await createSession(request.spec));
      return nextSession++;
    case "train":
      trainings.set(nextSession, await (request.spec.device === "webgpu" ? GpuTrainer : Trainer).create(request.spec));
      return nextSession++;
    case "run":
      return run(request.session, request.feeds, request.fetch, new Set(request.keep));
    case "choose":
      return store(choose(find(request.kept), request.rows));
    case "drop":
      for (const id of request.kept) kept.delete(id);
      return;
    case "forward":
      return open(trainings, request.session).forward(request.feeds, request.first);
    case "update":
      return open(trainings, request.session).update(request.step, request.rate);
    case "read":
      return open(trainings, request.session).read(request.what, request.only);
    case "write":
      return open(trainings, request.session).write(request.what, request.data);
    case "free": {
      const found = sessions.get(request.session) ?? trainings.get(request.session);
      sessions.delete(request.session);
      trainings.delete(request.session);
      return found?.release();
    }
  }
}

/** ONNX Runtime's own words, in one line and with a hint where the cause is known. */
function translate(error: unknown): SeedlingError {
  if (error instanceof SeedlingError) return error;
  const text = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").trim();
  if (/alloc|out of memory/i.test(text))
    return new SetupError(`runtime: out of memory (${text}). Use a smaller batch.`);
  return new SeedlingError(`runtime: ${text}`);
}

let queue: Promise<void> = Promise.resolve();
parentPort?.on("message", ({ id, request }: { id: number; request: Request }) => {
  queue = queue.then(async () => {
    let reply: Reply;
    try {
      reply = { id, result: await answer(request) };
    } catch (error) {
      const { message, exitCode } = translate(error);
      reply = { id, error: message, exitCode };
    }
    parentPort?.postMessage(reply);
  });
});
