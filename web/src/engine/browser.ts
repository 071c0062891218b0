/** The engine in this browser: a worker that runs the library itself, from model folders next to the page. */
import type { FromWorker, ToWorker, Work, WorkName } from "./browser-protocol.ts";
import {
  type ChatOptions,
  type DecodeOptions,
  type Device,
  type DrawOptions,
  type DrawProgress,
  type Engine,
  EngineError,
  type Found,
  type Message,
  type Part,
  type Picture,
} from "./engine.ts";

interface Waiting {
  readonly done: (result: unknown) => void;
  readonly fail: (error: Error) => void;
  readonly onEvent: (event: DrawProgress | Part) => void;
}

/** More threads than this gain little for models of a page's size. */
const MOST_THREADS = 4;

export class BrowserEngine implements Engine {
  readonly where = "browser";
  readonly indexed = 0;
  readonly devices: readonly Device[];
  readonly #models: readonly string[];
  readonly #onStatus: (text: string) => void;
  readonly #waiting = new Map<number, Waiting>();
  #model: string;
  #device: Device = "cpu";
  #worker: Worker | undefined;
  #nextId = 1;

  /**
   * @param models names of the folders below `./models/`
   * @param onStatus called with what is being loaded; "" when nothing is
   */
  constructor(models: readonly string[], devices: readonly Device[], onStatus: (text: string) => void) {
    this.#models = models;
    this.#model = models[0] ?? "";
    this.devices = devices;
    this.#onStatus = onStatus;
  }

  async models(): Promise<readonly string[]> {
    return this.#models;
  }

  use(model: string): void {
    if (model !== this.#model) this.#stop();
    this.#model = model;
  }

  useDevice(device: Device): void {
    if (device !== this.#device) this.#stop();
    this.#device = device;
  }

  encode(url: string, signal: AbortSignal): Promise<readonly number[]> {
    return this.#ask("encode", [url], signal);
  }

  decode(codes: readonly number[], options: DecodeOptions, signal: AbortSignal): Promise<string> {
    return this.#ask("decode", [codes, options], signal);
  }

  describe(codes: readonly number[], signal: AbortSignal): Promise<string> {
    return this.#ask("describe", [codes], signal);
  }

  draw(
    prompt: string,
    options: DrawOptions,
    onProgress: (progress: DrawProgress) => void,
    signal: AbortSignal,
  ): Promise<Picture> {
    return this.#ask("draw", [prompt, options], signal, (event) => onProgress(event as DrawProgress));
  }

  chat(
    messages: readonly Message[],
    options: ChatOptions,
    onPart: (part: Part) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#ask("chat", [messages, options], signal, (event) => onPart(event as Part));
  }

  async search(): Promise<readonly Found[]> {
    throw new EngineError("There is no index of pictures in the browser.");
  }

  #ask<Name extends WorkName>(
    work: Name,
    args: Parameters<Work[Name]>,
    signal: AbortSignal,
    onEvent: (event: DrawProgress | Part) => void = () => {},
  ): Promise<ReturnType<Work[Name]>> {
    const worker = this.#start();
    const id = this.#nextId++;
    return new Promise<ReturnType<Work[Name]>>((done, fail) => {
      if (signal.aborted) return fail(signal.reason);
      this.#waiting.set(id, { done: done as (result: unknown) => void, fail, onEvent });
      const cancel = (): void => {
        worker.postMessage({ id, cancel: true } satisfies ToWorker);
        this.#settle(id)?.fail(signal.reason);
      };
      signal.addEventListener("abort", cancel, { once: true });
      worker.postMessage({ id, work, args } satisfies ToWorker);
    });
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL("./browser-worker.ts", import.meta.url), { type: "module" });
    const cores = Math.min(MOST_THREADS, Math.ceil(navigator.hardwareConcurrency / 2));
    const folder = new URL(`./models/${encodeURIComponent(this.#model)}`, document.baseURI).href;
    const open = { folder, device: this.#device, threads: crossOriginIsolated ? cores : 1 };
    worker.postMessage({ open } satisfies ToWorker);
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = () =>
      this.#fail(new EngineError("The model's worker failed. Reload the page, and check its memory."));
    this.#worker = worker;
    return worker;
  }

  #receive(message: FromWorker): void {
    if ("doneBytes" in message) {
      const { doneBytes, totalBytes } = message;
      this.#onStatus(
        doneBytes < totalBytes ? `Loading the model: ${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB` : "",
      );
    } else if ("event" in message) this.#waiting.get(message.id)?.onEvent(message.event);
    else if ("error" in message) this.#settle(message.id)?.fail(new EngineError(message.error));
    else this.#settle(message.id)?.done(message.result);
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#onStatus("");
    return waiting;
  }

  #stop(): void {
    this.#fail(new EngineError("Another model or device was chosen."));
  }

  /** Ends the worker and what it was asked; the next request starts another. */
  #fail(error: Error): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.fail(error);
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}
