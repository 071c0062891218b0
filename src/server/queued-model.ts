/** A model behind queues: what waits is computed together, up to a limit, and ends when no caller waits for it. */
import type { Codes } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";
import { ApiError, BusyError } from "./api-error.ts";
import { BatchQueue } from "./batch-queue.ts";
import type {
  Capability,
  ChatEvent,
  ChatTurn,
  DecodeJob,
  DescribeJob,
  SamplingSettings,
  ServedModel,
} from "./served-model.ts";

export interface QueueLimits {
  /** Most requests that wait for one kind of work of a model. */
  readonly maxWaiting: number;
}

/** Pictures and texts of one batch: as many as keep a step of the work short. */
const [ENCODE_BATCH, DECODE_BATCH, DESCRIBE_BATCH] = [32, 8, 4];

export class QueuedModel {
  readonly model: ServedModel;
  readonly #maxWaiting: number;
  readonly #prepare: BatchQueue<Uint8Array, RgbImage>;
  readonly #encode: BatchQueue<RgbImage, Codes>;
  readonly #embedImage: BatchQueue<RgbImage, Float32Array>;
  readonly #embedText: BatchQueue<string, Float32Array>;
  readonly #embedCodes: BatchQueue<Codes, Float32Array>;
  readonly #decode: BatchQueue<DecodeJob, RgbImage>;
  readonly #describe: BatchQueue<DescribeJob, string>;
  /** Replies that are being written; the model computes them together itself. */
  #replies = 0;

  constructor(model: ServedModel, { maxWaiting }: QueueLimits) {
    this.model = model;
    this.#maxWaiting = maxWaiting;
    const limits = { maxBatch: ENCODE_BATCH, maxWaiting };
    // One at a time, as one may be very large.
    const prepare = (images: readonly Uint8Array[]) => Promise.all(images.map((image) => model.prepare(image)));
    this.#prepare = new BatchQueue({ run: prepare, maxBatch: 1, maxWaiting });
    this.#encode = new BatchQueue({ run: (jobs, signal) => model.encode(jobs, signal), ...limits });
    this.#embedImage = new BatchQueue({ run: (jobs, signal) => model.embedImages(jobs, signal), ...limits });
    this.#embedText = new BatchQueue({ run: (jobs, signal) => model.embedTexts(jobs, signal), ...limits });
    this.#embedCodes = new BatchQueue({ run: (jobs, signal) => model.embedCodes(jobs, signal), ...limits });
    this.#decode = new BatchQueue({
      run: (jobs, signal) => model.decode(jobs, signal),
      key: ({ steps, guidanceScale, keep }) => `${steps} ${guidanceScale} ${keep}`,
      maxBatch: DECODE_BATCH,
      maxWaiting,
    });
    this.#describe = new BatchQueue({
      run: (jobs, signal) => model.describe(jobs, signal),
      key: ({ bestOf, seed }) => `${bestOf} ${seed}`,
      maxBatch: DESCRIBE_BATCH,
      maxWaiting,
    });
  }

  /** Requests that wait or are being answered, of all kinds. */
  get waiting(): number {
    const embed = [this.#embedImage, this.#embedText, this.#embedCodes];
    return [this.#prepare, this.#encode, ...embed, this.#decode, this.#describe].reduce(
      (sum, queue) => sum + queue.waiting,
      this.#replies,
    );
  }

  /** Pictures are decoded before they wait, so that a broken one is refused at once. */
  encode(images: readonly Uint8Array[], signal: AbortSignal): Promise<Codes[]> {
    this.#expect("encode");
    return Promise.all(
      images.map(async (image) => this.#encode.submit(await this.#prepare.submit(image, signal), signal)),
    );
  }

  async embedImage(image: Uint8Array, signal: AbortSignal): Promise<Float32Array> {
    this.#expect("embed");
    return this.#embedImage.submit(await this.#prepare.submit(image, signal), signal);
  }

  embedText(text: string, signal: AbortSignal): Promise<Float32Array> {
    this.#expect("embed");
    return this.#embedText.submit(text, signal);
  }

  embedCodes(codes: Codes, signal: AbortSignal): Promise<Float32Array> {
    this.#expect("embed");
    return this.#embedCodes.submit(codes, signal);
  }

  decode(jobs: readonly DecodeJob[], signal: AbortSignal): Promise<RgbImage[]> {
    this.#expect("decode");
    return Promise.all(jobs.map((job) => this.#decode.submit(job, signal)));
  }

  describe(jobs: readonly DescribeJob[], signal: AbortSignal): Promise<string[]> {
    this.#expect("chat");
    return Promise.all(jobs.map((job) => this.#describe.submit(job, signal)));
  }

  async *chat(turns: readonly ChatTurn[], settings: SamplingSettings): AsyncGenerator<ChatEvent, void, undefined> {
    this.#expect("chat");
    const leave = this.#enter();
    try {
      yield* this.model.chat(turns, settings);
    } finally {
      leave();
    }
  }

  async drawCodes(
    prompt: string,
    settings: SamplingSettings,
    onCodes?: (codes: readonly number[]) => void,
  ): Promise<Codes> {
    this.#expect("chat");
    const leave = this.#enter();
    try {
      return await this.model.drawCodes(prompt, settings, onCodes);
    } finally {
      leave();
    }
  }

  #enter(): () => void {
    if (this.#replies >= this.#maxWaiting) throw new BusyError(this.#maxWaiting);
    this.#replies++;
    return () => {
      this.#replies--;
    };
  }

  #expect(capability: Capability): void {
    const { capabilities, id } = this.model;
    if (capabilities.has(capability)) return;
    const needs = {
      encode: "an image tokenizer",
      embed: "retrieval embeddings",
      decode: "a diffusion model",
      chat: "a language model",
    };
    throw new ApiError(400, "unsupported", `the model ${id} has no ${needs[capability].replace(/^an? /, "")}.`, {
      param: "model",
    });
  }
}
