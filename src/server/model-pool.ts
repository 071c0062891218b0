/** The models that are served: opened at the first request, closed after some time without one. */
import { RuntimeEndedError } from "../base/errors.ts";
import { ApiError } from "./api-error.ts";
import { QueuedModel, type QueueLimits } from "./queued-model.ts";
import type { ServedModel } from "./served-model.ts";

export interface ModelSource {
  /** The name that requests use. */
  readonly id: string;
  readonly open: () => Promise<ServedModel>;
}

export interface PoolOptions extends QueueLimits {
  /** Milliseconds without a request after which a model is closed; 0 for never. */
  readonly keepAliveMs: number;
}

interface Slot {
  readonly source: ModelSource;
  opening: Promise<QueuedModel> | undefined;
  users: number;
  timer: NodeJS.Timeout | undefined;
}

export class ModelPool {
  readonly #slots: ReadonlyMap<string, Slot>;
  readonly #options: PoolOptions;
  #closed = false;

  constructor(sources: readonly ModelSource[], options: PoolOptions) {
    this.#options = options;
    this.#slots = new Map(
      sources.map((source) => [source.id, { source, opening: undefined, users: 0, timer: undefined }]),
    );
  }

  get ids(): readonly string[] {
    return [...this.#slots.keys()];
  }

  /** Requests that wait for each model. */
  async waiting(): Promise<ReadonlyMap<string, number>> {
    const open = [...this.#slots].flatMap(([id, { opening }]) => (opening ? [[id, opening] as const] : []));
    const counts = await Promise.all(
      open.map(async ([id, opening]) => [id, await opening.then(({ waiting }) => waiting).catch(() => 0)] as const),
    );
    return new Map(counts);
  }

  /**
   * Runs `use` with a model, which stays open until it ends.
   * @throws ApiError 404 for a model that is not served, 503 when the server is shutting down
   */
  async use<T>(id: string | undefined, use: (model: QueuedModel) => Promise<T>): Promise<T> {
    const slot = this.#slot(id);
    clearTimeout(slot.timer);
    slot.users++;
    const opening = this.#open(slot);
    try {
      return await use(await opening);
    } catch (error) {
      if (error instanceof RuntimeEndedError) this.#forget(slot, opening);
      throw error;
    } finally {
      slot.users--;
      const { keepAliveMs } = this.#options;
      if (slot.users === 0 && keepAliveMs > 0 && !this.#closed)
        slot.timer = setTimeout(() => void this.#closeSlot(slot), keepAliveMs).unref();
    }
  }

  /** Opens models ahead of the first request. */
  async preload(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.use(id, async () => {})));
  }

  /** Closes all models; requests after that are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#slots.values()].map((slot) => this.#closeSlot(slot)));
  }

  #slot(id: string | undefined): Slot {
    if (this.#closed) throw new ApiError(503, "shutting_down", "the server is shutting down.", { retryAfter: 5 });
    const slot = id === undefined ? [...this.#slots.values()][0] : this.#slots.get(id);
    if (slot) return slot;
    const known = this.ids.join(", ");
    throw new ApiError(
      404,
      "model_not_found",
      `the model ${JSON.stringify(id?.slice(0, 80))} is not served here; these are: ${known}.`,
      { param: "model" },
    );
  }

  #open(slot: Slot): Promise<QueuedModel> {
    slot.opening ??= slot.source.open().then(
      (model) => new QueuedModel(model, this.#options),
      (error) => {
        slot.opening = undefined; // the next request tries again
        throw error;
      },
    );
    return slot.opening;
  }

  /** A model whose worker has died: the requests that it was computing fail, the next one opens it again. */
  #forget(slot: Slot, dead: Promise<QueuedModel>): void {
    if (slot.opening !== dead) return; // another request was faster
    slot.opening = undefined;
    dead.then(({ model }) => model.close()).catch(() => {});
  }

  async #closeSlot(slot: Slot): Promise<void> {
    clearTimeout(slot.timer);
    const { opening } = slot;
    slot.opening = undefined;
    const queued = await opening?.catch(() => undefined);
    await queued?.model.close();
  }
}
