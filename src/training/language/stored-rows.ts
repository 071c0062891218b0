/**
 * The rows of added tokens as they are stored: what is shared or projected in training becomes plain rows of the
 * vocabulary, which PEFT and every other reader understand.
 */

import { entry } from "../../base/item.ts";
/** The codebook's vectors, f32 [codes,E]. */
export interface Codebook {
  readonly codes: number;
  readonly vectors: Float32Array;
}

/**
 * `..shared` is added to each row of `..added`, and `..code_projection` of the codebook to the rows of codes; with `..marks`
 * in place of `..added` the projection becomes the rows; the rest stays.
 */
export function storedRows(
  learned: ReadonlyMap<string, Float32Array>,
  codebook: Codebook,
): ReadonlyMap<string, Float32Array> {
  const stored = new Map(learned);
  for (const [path, data] of learned) {
    const [, table, kind] = /^(.*)\.(shared|marks|code_projection\.weight|code_projection\.bias)$/.exec(path) ?? [];
    if (!kind) continue;
    stored.delete(path);
    const own = (name: string): Float32Array => entry(learned, `${table}.${name}`);
    if (kind === "shared") {
      const weight = learned.get(`${table}.code_projection.weight`);
      const projected = weight && projectedRows(weight, new Float32Array(data.length), codebook);
      const rows = own("added").map((value, i) => value + data[i % data.length]! + (projected?.[i] ?? 0));
      stored.set(`${table}.added`, rows);
    } else if (kind === "marks") {
      const rows = projectedRows(own("code_projection.weight"), own("code_projection.bias"), codebook);
      const all = new Float32Array(rows.length + data.length);
      all.set(rows);
      all.set(data, rows.length);
      stored.set(`${table}.added`, all);
    }
  }
  return stored;
}

/** Each code's vector through the linear layer, f32 [codes,width]. */
function projectedRows(weight: Float32Array, bias: Float32Array, { codes, vectors }: Codebook): Float32Array {
  const [width, E] = [bias.length, vectors.length / codes];
  const rows = new Float32Array(codes * width);
  for (let code = 0; code < codes; code++)
    for (let d = 0; d < width; d++) {
      let sum = bias[d]!;
      for (let e = 0; e < E; e++) sum += weight[d * E + e]! * vectors[code * E + e]!;
      rows[code * width + d] = sum;
    }
  return rows;
}
