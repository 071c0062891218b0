/** A compiled graph, as its caller holds it. */
import type { Values } from "../base/value.ts";
import type { Channel } from "./channel.ts";
import type { Feeds, Kept, KeptRow } from "./protocol.ts";

export class Program {
  readonly #channel: Channel;
  readonly #session: number;

  constructor(channel: Channel, session: number) {
    this.#channel = channel;
    this.#session = session;
  }

  /** Runs the graph; `fetch` names the outputs wanted, all by default. */
  run(feeds: Values, fetch?: readonly string[]): Promise<Values> {
    return this.#channel.request({ kind: "run", session: this.#session, feeds, fetch }) as Promise<Values>;
  }

  /** Runs the graph; the outputs named in `keep` stay in the worker and can be fed to a later run, uncopied. */
  async runKeeping(feeds: Feeds, keep: readonly string[]): Promise<Feeds> {
    const out = (await this.#channel.request({ kind: "run", session: this.#session, feeds, keep })) as Feeds;
    for (const value of Object.values(out)) if ("kept" in value) this.#channel.watch(value);
    return out;
  }

  /**
   * Rows of kept tensors f32 [N,...,P,D], in the order given, as a new one. The tensors may differ in N and P only; rows
   * with a smaller P are padded with zeros at the front.
   */
  async gather(rows: readonly KeptRow[]): Promise<Kept> {
    const gathered = (await this.#channel.request({ kind: "gather", rows })) as Kept;
    this.#channel.watch(gathered);
    return gathered;
  }

  /** Frees kept tensors. Those that nothing refers to any more are freed too, some time later. */
  drop(kept: readonly Kept[]): void {
    this.#channel.drop(kept.map((one) => one.kept));
  }

  async close(): Promise<void> {
    await this.#channel.request({ kind: "free", session: this.#session });
  }
}
