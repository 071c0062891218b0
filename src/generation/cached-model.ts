/** A compiled decoding graph with its key-value cache, as generation wants it. */
import type { LmConfig } from "../models/lm-config.ts";
import type { Program, Value, Values } from "../runtime/index.ts";
import type { TokenModel, TokenState } from "./token-model.ts";

type Sizes = Pick<LmConfig, "layers" | "kvHeads" | "headWidth" | "context">;

/** @param program of `decodingGraph` */
export function cachedModel(program: Pick<Program, "run">, sizes: Sizes): TokenModel {
  return { context: sizes.context, start: () => new CachedState(program, sizes) };
}

class CachedState implements TokenState {
  readonly #program: Pick<Program, "run">;
  readonly #sizes: Sizes;
  #cache: Values | undefined;
  #length = 0;

  constructor(program: Pick<Program, "run">, sizes: Sizes) {
    this.#program = program;
    this.#sizes = sizes;
  }

  async read(tokens: readonly (readonly number[])[], parents?: readonly number[]): Promise<Float32Array[]> {
    const [B, T, P] = [tokens.length, tokens[0]?.length ?? 0, this.#length];
    const past = this.#cache ? chooseRows(this.#cache, parents) : emptyCache(B, this.#sizes);
    const out = await this.#program.run({
      ...past,
      ids: rows(B, tokens.flat()),
      positions: rows(
        B,
        Array.from({ length: B * T }, (_, i) => P + (i % T)),
      ),
      keyPositions: rows(
        B,
        Array.from({ length: B * (P + T) }, (_, i) => i % (P + T)),
      ),
      rows: { shape: [B], data: Int32Array.from({ length: B }, (_, b) => (b + 1) * T - 1) },
    });
    const { logits, ...present } = out;
    this.#cache = Object.fromEntries(Object.entries(present).map(([name, t]) => [name.replace("present", "past"), t]));
    this.#length += T;
    const V = logits!.shape[1]!;
    return Array.from({ length: B }, (_, b) => (logits!.data as Float32Array).slice(b * V, (b + 1) * V));
  }
}

function rows(B: number, data: readonly number[]): Value {
  return { shape: [B, data.length / B], data: Int32Array.from(data) };
}

function emptyCache(B: number, { layers, kvHeads, headWidth }: Sizes): Values {
  const empty: Value = { shape: [B, kvHeads, 0, headWidth], data: new Float32Array(0) };
  const names = Array.from({ length: layers }, (_, i) => [`past.${i}.key`, `past.${i}.value`]).flat();
  return Object.fromEntries(names.map((name) => [name, empty]));
}

/** The cache of the chosen sequences, in their order. */
function chooseRows(cache: Values, parents: readonly number[] | undefined): Values {
  if (!parents) return cache;
  const choose = ({ shape, data }: Value): Value => {
    const size = data.length / shape[0]!;
    const out = new Float32Array(size * parents.length);
    for (const [i, parent] of parents.entries())
      out.set((data as Float32Array).subarray(parent * size, (parent + 1) * size), i * size);
    return { shape: [parents.length, ...shape.slice(1)], data: out };
  };
  return Object.fromEntries(Object.entries(cache).map(([name, value]) => [name, choose(value)]));
}
