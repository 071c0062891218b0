/** A compiled decoding graph with its key-value cache, as the model that generation reads. */
import { HIDDEN_KEY } from "../../models/causal-lm.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import type { Feeds, Kept, Program, Value, Values } from "../../runtime/index.ts";
import type { TokenModel, TokenState } from "./token-model.ts";

type Sizes = Pick<LmConfig, "layers" | "kvHeads" | "headWidth" | "context">;

type DecodingProgram = Pick<Program, "runKeeping" | "choose" | "drop">;

/** @param program of `decodingGraph` */
export function cachedModel(program: DecodingProgram, sizes: Sizes): TokenModel {
  return { context: sizes.context, start: () => new CachedState(program, sizes) };
}

/** The cache stays in the worker: it grows with every token, and copying it would soon take longer than computing. */
class CachedState implements TokenState {
  readonly #program: DecodingProgram;
  readonly #sizes: Sizes;
  #cache: Feeds | undefined;
  #length = 0;
  /** Tokens of padding before each sequence, so that prompts of different lengths end together. */
  #pads: readonly number[] = [];

  constructor(program: DecodingProgram, sizes: Sizes) {
    this.#program = program;
    this.#sizes = sizes;
  }

  async read(tokens: readonly (readonly number[])[], parents?: readonly number[]): Promise<Float32Array[]> {
    const [B, T, P] = [tokens.length, Math.max(...tokens.map((list) => list.length)), this.#length];
    const past = this.#cache ? await this.#chooseRows(this.#cache, parents) : emptyCache(B, this.#sizes);
    if (P === 0) this.#pads = tokens.map((list) => T - list.length);
    else if (parents) this.#pads = parents.map((parent) => this.#pads[parent] ?? 0);
    const pads = this.#pads;
    const each = (length: number, value: (b: number, at: number) => number): Value =>
      rows(
        B,
        Array.from({ length: B * length }, (_, i) => value(Math.floor(i / length), i % length)),
      );
    const feeds = {
      ...past,
      ids: each(T, (b, t) => tokens[b]?.[t - T + (tokens[b]?.length ?? 0)] ?? 0),
      positions: each(T, (b, t) => Math.max(P + t - (pads[b] ?? 0), 0)),
      keyPositions: each(P + T, (b, s) => (s < (pads[b] ?? 0) ? HIDDEN_KEY : s - (pads[b] ?? 0))),
      rows: { shape: [B], data: Int32Array.from({ length: B }, (_, b) => (b + 1) * T - 1) },
    };
    const names = Object.keys(past).map((name) => name.replace("past", "present"));
    const { logits, ...present } = await this.#program.runKeeping(feeds, names);
    this.#program.drop(keptOf(past));
    this.#cache = Object.fromEntries(Object.entries(present).map(([name, t]) => [name.replace("present", "past"), t]));
    this.#length += T;
    const data = (logits as Value).data as Float32Array;
    const V = data.length / B;
    return Array.from({ length: B }, (_, b) => data.slice(b * V, (b + 1) * V));
  }

  /** The cache of the sequences that continue, in their order. */
  async #chooseRows(cache: Feeds, parents: readonly number[] | undefined): Promise<Feeds> {
    if (!parents) return cache;
    const chosen = await Promise.all(
      Object.entries(cache).map(async ([name, t]) => [name, await this.#program.choose(t as Kept, parents)] as const),
    );
    this.#program.drop(keptOf(cache));
    return Object.fromEntries(chosen);
  }
}

function keptOf(cache: Feeds): Kept[] {
  return Object.values(cache).filter((t): t is Kept => "kept" in t);
}

function rows(B: number, data: readonly number[]): Value {
  return { shape: [B, data.length / B], data: Int32Array.from(data) };
}

function emptyCache(B: number, { layers, kvHeads, headWidth }: Sizes): Values {
  const empty: Value = { shape: [B, kvHeads, 0, headWidth], data: new Float32Array(0) };
  const names = Array.from({ length: layers }, (_, i) => [`past.${i}.key`, `past.${i}.value`]).flat();
  return Object.fromEntries(names.map((name) => [name, empty]));
}
