/** A compiled graph, as its caller holds it. */
import type { Values } from "../base/value.ts";
import type { Channel } from "./channel.ts";
import type { Feeds, Kept } from "./protocol.ts";

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

  /** Rows of the first axis of a kept tensor, in the order wanted, as a new one. */
  async choose({ kept }: Kept, rows: readonly number[]): Promise<Kept> {
    const chosen = (await this.#channel.request({ kind: "choose", kept, rows })) as Kept;
    this.#channel.watch(chosen);
    return chosen;
  }

  /** Frees kept tensors. Those that are forgotten are freed too, some time later. */
  drop(kept: readonly Kept[]): void {
    this.#channel.drop(kept.map((one) => one.kept));
  }

  async close(): Promise<void> {
    await this.#channel.request({ kind: "free", session: this.#session });
  }
}
