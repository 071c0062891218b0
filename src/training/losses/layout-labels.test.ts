import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { input, Params } from "../../graph/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { layoutLoss } from "./layout-labels.ts";

const embedding = input("e", [2, 4]);
const labels = { objects: input("objects", [2, 3], "i32"), colors: input("colors", [2, 1], "i32") };
const feeds = { objects: [0, 1, 2, 2, 0, 0], colors: [0, 1] };

test("heads that know nothing are at the entropy of their classes", () => {
  const terms = layoutLoss(new Params(), embedding, labels, { objects: 2, colors: 5 });
  const zero = (path: string): Float32Array => new Float32Array(path.endsWith("weight") ? 1000 : 50);
  const sized = (path: string): Float32Array => zero(path).slice(0, length(path));
  const length = (path: string): number =>
    ({ "objects.weight": 36, "objects.bias": 9, "colors.weight": 20, "colors.bias": 5 })[path]!;
  const [objects, colors] = evaluate([terms.objects, terms.colors], {
    feeds: { ...feeds, e: [1, 0, 0, 0, 0, 1, 0, 0] },
    params: sized,
  }).map(({ data }) => data[0]);
  expect(objects).toBeCloseTo(Math.log(3), 9);
  expect(colors).toBeCloseTo(Math.log(5), 9);
});

test("one head reads pictures and captions: both embeddings get its gradient, and the keys are declared once", () => {
  const p = new Params();
  const caption = input("caption", [2, 4]);
  const sizes = { objects: 2, colors: 5 };
  const [a, b] = [layoutLoss(p, embedding, labels, sizes), layoutLoss(p, caption, labels, sizes)];
  expect([...p.declared().keys()]).toEqual(["objects.weight", "objects.bias", "colors.weight", "colors.bias"]);
  const both = a.objects.add(a.colors).add(b.objects).add(b.colors);
  expect(gradients(both, [embedding, caption]).every(Boolean)).toBe(true);
});

test("the head of a patch is its own: bias and weight of the first patch do not move the second", () => {
  const terms = layoutLoss(new Params(), embedding, labels, { objects: 2, colors: 5 });
  const params = (path: string): Float32Array => {
    if (path !== "objects.bias")
      return new Float32Array({ "objects.weight": 36, "colors.weight": 20, "colors.bias": 5 }[path]!);
    return Float32Array.of(9, 0, 0, 0, 9, 0, 0, 0, 9); // patch k names class k
  };
  const e = Array(8).fill(0.5);
  const right = evaluate([terms.objects], { feeds: { ...feeds, e, objects: [0, 1, 2, 0, 1, 2] }, params })[0]!.data[0]!;
  const wrong = evaluate([terms.objects], { feeds: { ...feeds, e, objects: [1, 2, 0, 1, 2, 0] }, params })[0]!.data[0]!;
  expect(right).toBeLessThan(1e-3);
  expect(wrong).toBeGreaterThan(8);
});
