import { expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { input, Params, paramAttrs } from "../graph/index.ts";
import { initialValues } from "../nn/index.ts";
import { evaluate } from "../runtime/reference.ts";
import { cellsToLatents, draftCells, draftChannels, draftShape, draftVectors, latentsToCells } from "./draft.ts";

const config = { channels: 2, size: 4, cell: 2, layers: 2 };
const layers = { hidden: 8, heads: 2, layers: 6, intermediate: 8, causal: true };

test("16 x 16 x 8 latents are 64 cells of 32 numbers", () => {
  expect(draftShape({ channels: 8, size: 16, cell: 2 })).toEqual({ cells: 64, width: 32 });
});

test("cells are the latents in another order, row by row, and go back to where they were", () => {
  const z = input("z", [1, 2, 4, 4]);
  const cells = latentsToCells(z, 2);
  expect(cells.shape).toEqual([1, 4, 8]);
  const feeds = { z: Array.from({ length: 32 }, (_, i) => i) };
  const [there, back] = evaluate([cells, cellsToLatents(cells, config)], { feeds });
  expect([...there!.data].slice(8, 16)).toEqual([2, 3, 6, 7, 18, 19, 22, 23]); // the cell at the top right
  expect([...back!.data]).toEqual(feeds.z);
});

test("latents that do not fill their cells are refused", () => {
  expect(() => latentsToCells(input("z", [1, 2, 4, 3]), 2)).toThrow(
    "draft: expected latents in whole cells of 2, got [1,2,4,3].",
  );
});

test("a draft has the channels of the latents, and those of the cells' own vectors where they are read too", () => {
  expect(draftChannels(config, 8)).toBe(config.channels);
  expect(draftChannels({ ...config, hidden: true }, 8)).toBe(config.channels + 8 / config.cell ** 2);
});

test("every vector reaches every cell, and every parameter learns", () => {
  const p = new Params();
  const vectors = input("vectors", [1, 32, 8]);
  const draft = draftCells(p, draftVectors(p, vectors, config, layers), config);
  expect(draft.shape).toEqual([1, 4, 8]);
  const params = [...p.declared().values()];
  const grads = gradients(draft.square().mean(), [vectors, ...params]);
  expect(params.filter((_, i) => !grads[i + 1])).toEqual([]);
  const feeds = { vectors: Array.from({ length: 256 }, (_, i) => Math.sin(i * i)) };
  const read = (path: string): Float32Array => {
    const { shape, init } = paramAttrs(p.declared().get(path)!);
    return initialValues(path, shape, init, 1);
  };
  const slope = evaluate([grads[0]!], { feeds, params: read })[0]!.data;
  for (let k = 0; k < 32; k++)
    expect(Math.max(...Array.from(slope.slice(8 * k, 8 * k + 8), Math.abs)), `vector ${k}`).toBeGreaterThan(0);
});
