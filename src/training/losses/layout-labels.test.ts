import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { BACKGROUND_NAMES } from "../../data/colors.ts";
import { input, Params } from "../../graph/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { backgroundLabels, layoutLoss, layoutSum } from "./layout-labels.ts";

const embedding = input("e", [2, 4]);
const labels = { objects: input("objects", [2, 3], "i32"), colors: input("colors", [2, 1], "i32") };
const feeds = { objects: [0, 1, 2, 2, 0, 0], colors: [0, 1] };

/** Sizes of the parameters with two object names and five colors. */
const LENGTHS: Readonly<Record<string, number>> = {
  "objects.weight": 36,
  "objects.bias": 9,
  "colors.weight": 20,
  "colors.bias": 5,
};
const sizes = { objects: 2, colors: 5 };
const zero = (path: string): Float32Array => new Float32Array(LENGTHS[path]!);

test("heads that know nothing are at the entropy of their classes", () => {
  const terms = layoutLoss(new Params(), embedding, labels, sizes);
  const outputs = [terms.covered, terms.patches, terms.colors, layoutSum(terms)];
  const e = [1, 0, 0, 0, 0, 1, 0, 0];
  const values = evaluate(outputs, { feeds: { ...feeds, e }, params: zero }).map(({ data }) => data[0]!);
  const [three, five] = [Math.log(3), Math.log(5)];
  const wanted = [three, three, five, three + 0.3 * (three + five)];
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(wanted[i]!, 7);
});

test("one head reads pictures and captions: both embeddings get its gradient, and the keys are declared once", () => {
  const p = new Params();
  const caption = input("caption", [2, 4]);
  const [a, b] = [embedding, caption].map((x) => layoutSum(layoutLoss(p, x, labels, sizes)));
  expect([...p.declared().keys()]).toEqual(Object.keys(LENGTHS));
  expect(gradients(a!.add(b!), [embedding, caption]).every(Boolean)).toBe(true);
});

test("each patch has a head of its own, and empty patches do not count as covered", () => {
  const terms = layoutLoss(new Params(), embedding, labels, sizes);
  const biased = (path: string): Float32Array =>
    path === "objects.bias" ? Float32Array.of(9, 0, 0, 0, 9, 0, 0, 0, 9) : zero(path); // patch k names class k
  const run = (objects: number[]): [covered: number, patches: number] => {
    const e = Array(8).fill(0.5);
    const out = evaluate([terms.covered, terms.patches], { feeds: { ...feeds, e, objects }, params: biased });
    return [out[0]!.data[0]!, out[1]!.data[0]!];
  };
  const right = run([0, 1, 2, 0, 1, 2]);
  expect(Math.max(...right)).toBeLessThan(1e-3);
  const [covered, patches] = run([1, 1, 2, 0, 1, 2]); // wrong where there is an object
  expect(covered).toBeCloseTo(9 / 5, 2);
  expect(patches).toBeCloseTo(9 / 6, 2);
  const [coveredEmpty, patchesEmpty] = run([0, 0, 2, 0, 1, 2]); // wrong where there is none
  expect(coveredEmpty).toBeLessThan(1e-3);
  expect(patchesEmpty).toBeCloseTo(9 / 6, 2);
});

test("background labels: of a fade the nearer color, in columns to the right and in rows downwards", () => {
  const image = { width: 1, height: 1, data: new Uint8Array(3) };
  const picture = (from: string, to: string, direction: string) => ({
    ...{ image, caption: "" },
    background: { from, to, direction } as never,
  });
  const { shape, data } = backgroundLabels([
    picture("white", "white", "down"),
    picture("white", "black", "right"),
    picture("white", "black", "down"),
    { image, caption: "a photo" },
  ]);
  const [w, b] = (["white", "black"] as const).map((name) => BACKGROUND_NAMES.indexOf(name));
  expect(shape).toEqual([4, 16]);
  const rows = Array.from({ length: 16 }, (_, i) => [...data.slice(4 * i, 4 * i + 4)]);
  expect(rows.slice(0, 4)).toEqual(Array(4).fill([w, w, w, w]));
  expect(rows.slice(4, 8)).toEqual(Array(4).fill([w, w, b, b]));
  expect(rows.slice(8, 12)).toEqual([...Array(2).fill([w, w, w, w]), ...Array(2).fill([b, b, b, b])]);
  expect(rows.slice(12)).toEqual(Array(4).fill([0, 0, 0, 0])); // not known
});
