/** A compiled decoding graph with its key-value cache, as the model that generation reads. */
import { HIDDEN_KEY } from "../../models/causal-lm.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import type { Feeds, Kept, Program, Value, Values } from "../../runtime/index.ts";
import type { TokenModel, TokenState } from "./token-model.ts";

type Sizes = Pick<LmConfig, "layers" | "kvHeads" | "headWidth" | "context">;

type DecodingProgram = Pick<Program, "runKeeping" | "gather" | "drop">;

/** @param program of `decodingGraph` */
export function cachedModel(program: DecodingProgram, sizes: Sizes): TokenModel {
  return { context: sizes.context, start: () => new CachedState(program, sizes) };
}

/** The cache stays in the worker: it grows with every token, and copying it would soon take longer than computing. */
class CachedState implements TokenState {
  readonly #program: DecodingProgram;
  readonly #sizes: Sizes;
  #cache: Readonly<Record<string, Kept>> | undefined;
  #length = 0;
  /** Tokens of padding before each sequence, so that sequences of different lengths end together. */
  #pads: readonly number[] = [];

  constructor(program: DecodingProgram, sizes: Sizes) {
    this.#program = program;
    this.#sizes = sizes;
  }

  async read(tokens: readonly (readonly number[])[], parents?: readonly number[]): Promise<Float32Array[]> {
    if (parents && this.#cache) await this.#continueWith(parents.map((row) => ({ state: this, row })));
    const [B, T, P] = [tokens.length, Math.max(...tokens.map((list) => list.length)), this.#length];
    const past: Feeds = this.#cache ?? emptyCache(B, this.#sizes);
    if (P === 0) this.#pads = tokens.map((list) => T - list.length);
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
    this.#drop();
    this.#cache = Object.fromEntries(
      Object.entries(present).map(([name, t]) => [name.replace("present", "past"), t as Kept]),
    );
    this.#length += T;
    const data = (logits as Value).data as Float32Array;
    const V = data.length / B;
    return Array.from({ length: B }, (_, b) => data.slice(b * V, (b + 1) * V));
  }

  async join(other: TokenState, own: readonly number[], others: readonly number[]): Promise<void> {
    if (!(other instanceof CachedState) || other.#program !== this.#program || !this.#cache || !other.#cache)
      throw new Error("states of two models were joined, or one that has read nothing");
    const sequences = (state: CachedState, rows: readonly number[]): Sequence[] => rows.map((row) => ({ state, row }));
    await this.#continueWith([...sequences(this, own), ...sequences(other, others)]);
    other.#drop();
  }

  /** The cache is that of these sequences from now on, with no more padding than the longest of them asks for. */
  async #continueWith(sequences: readonly Sequence[]): Promise<void> {
    const pad = ({ state, row }: Sequence): number => state.#pads[row] ?? 0;
    const gathered = Object.keys(this.#cache ?? {}).map(async (name) => {
      const rows = sequences.flatMap((sequence) => {
        const t = sequence.state.#cache?.[name];
        return t ? [{ kept: t.kept, row: sequence.row, from: pad(sequence) }] : [];
      });
      return [name, await this.#program.gather(rows)] as const;
    });
    const cache = Object.fromEntries(await Promise.all(gathered));
    const lengths = sequences.map((sequence) => sequence.state.#length - pad(sequence));
    this.#drop();
    this.#cache = cache;
    this.#length = Math.max(...lengths);
    this.#pads = lengths.map((length) => this.#length - length);
  }

  #drop(): void {
    this.#program.drop(Object.values(this.#cache ?? {}));
    this.#cache = undefined;
  }
}

/** A sequence that a state has read. */
interface Sequence {
  readonly state: CachedState;
  readonly row: number;
}

function rows(B: number, data: readonly number[]): Value {
  return { shape: [B, data.length / B], data: Int32Array.from(data) };
}

function emptyCache(B: number, { layers, kvHeads, headWidth }: Sizes): Values {
  const empty: Value = { shape: [B, kvHeads, 0, headWidth], data: new Float32Array(0) };
  const names = Array.from({ length: layers }, (_, i) => [`past.${i}.key`, `past.${i}.value`]).flat();
  return Object.fromEntries(names.map((name) => [name, empty]));
}
