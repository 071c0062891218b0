import { expect, test } from "vitest";
import { storedRows } from "./stored-rows.ts";

const table = "model.embed_tokens";
const codebook = { codes: 2, vectors: Float32Array.of(1, 0, 0, 2) };

test("a shared vector is added to every row, and what else was learned stays", () => {
  const norm = Float32Array.of(1, 1);
  const learned = new Map([
    [`${table}.added`, Float32Array.of(1, 2, 3, 4, 5, 6)],
    [`${table}.shared`, Float32Array.of(10, 20)],
    ["model.norm.weight", norm],
  ]);
  const stored = storedRows(learned, codebook);
  expect([...stored.keys()].sort()).toEqual([`${table}.added`, "model.norm.weight"]);
  expect([...stored.get(`${table}.added`)!]).toEqual([11, 22, 13, 24, 15, 26]);
  expect(stored.get("model.norm.weight")).toBe(norm);
  expect(storedRows(stored, codebook)).toEqual(stored); // a second time there is nothing to do
});

test("besides plain rows, a projection is added to the rows of codes, not to the marks", () => {
  const learned = new Map([
    [`${table}.added`, Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)],
    [`${table}.shared`, Float32Array.of(10, 20)],
    [`${table}.code_projection.weight`, Float32Array.of(1, 2, 3, 4)], // [width,E]
  ]);
  const stored = storedRows(learned, codebook);
  expect([...stored.keys()]).toEqual([`${table}.added`]);
  expect([...stored.get(`${table}.added`)!]).toEqual([12, 25, 17, 32, 15, 26, 17, 28]);
});

test("a projection becomes the rows of the codes, the marks follow them", () => {
  const learned = new Map([
    [`${table}.code_projection.weight`, Float32Array.of(1, 2, 3, 4)], // [width,E]
    [`${table}.code_projection.bias`, Float32Array.of(0.5, -0.5)],
    [`${table}.marks`, Float32Array.of(7, 8, 9, 10)],
  ]);
  const stored = storedRows(learned, codebook);
  expect([...stored.keys()]).toEqual([`${table}.added`]);
  expect([...stored.get(`${table}.added`)!]).toEqual([1.5, 2.5, 4.5, 7.5, 7, 8, 9, 10]);
});
