import { expect, test } from "vitest";
import { input, Params, paramAttrs } from "../../graph/index.ts";
import { initialValues } from "../../nn/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import type { BoxedObject, Picture } from "../data/pictures.ts";
import { patchLabels, patchLabelsLoss } from "./patch-labels.ts";

const picture = (...objects: BoxedObject[]): Picture => ({
  image: { width: 8, height: 8, data: new Uint8Array(192) },
  caption: "",
  objects,
});

test("a patch is labeled by the box that holds its center, the later one where boxes overlap", () => {
  const apple = { name: "apple", x: 0, y: 0, w: 5, h: 3 };
  const car = { name: "car", x: 2, y: 2, w: 2, h: 6 };
  const { shape, data } = patchLabels([picture(apple, car), picture()], ["apple", "car"], 4);
  expect(shape).toEqual([2, 16]);
  expect([...data.subarray(0, 16)]).toEqual([1, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0]);
  expect([...data.subarray(16)]).toEqual(Array(16).fill(0));
  const over = patchLabels([picture(car, { ...apple, h: 8 })], ["apple", "car"], 4).data;
  expect([...over.subarray(4, 8)]).toEqual([1, 1, 0, 0]);
});

test("pictures that do not know where objects are have no labels", () => {
  const { image, caption } = picture();
  expect([...patchLabels([{ image, caption }], ["apple"], 2).data]).toEqual([0, 0, 0, 0]);
});

test("the loss is the mean over patches, without the class token", () => {
  const p = new Params();
  const loss = patchLabelsLoss(p, input("tokens", [1, 3, 2]), input("labels", [1, 2]), 2);
  const params = (path: string): Float32Array => {
    if (path === "things.weight") return Float32Array.of(0, 0, 9, 0, 0, 9); // weights of the labels 0, 1 and 2
    const { shape, init } = paramAttrs(p.declared().get(path)!);
    return initialValues(path, shape, init, 1);
  };
  const value = (cls: number[], labels: number[]): number =>
    evaluate([loss], { feeds: { tokens: [...cls, 1, -1, -1, 1], labels }, params })[0]!.data[0]!;
  expect(value([5, 1], [1, 2])).toBeCloseTo(Math.log(1 + Math.exp(-9) + Math.exp(-18)), 4);
  expect(value([1, 5], [1, 2])).toBe(value([5, 1], [1, 2]));
  expect(value([1, 5], [1, 1])).toBeCloseTo(9, 2);
});
