import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { BACKGROUND_NAMES } from "../../data/colors.ts";
import { input } from "../../graph/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import type { Picture } from "../data/pictures.ts";
import { centerLabels, centersLoss, cornerLabels, cornersLoss } from "./centers.ts";

const image = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3) };

test("centers are 1, their neighbors do not count, and a center next to another stays one", () => {
  const picture: Picture = {
    image,
    caption: "",
    objects: [
      { name: "cat", x: -1, y: -1, w: 4, h: 4 }, // center (1, 1): cell (0, 0)
      { name: "cat", x: 4, y: 3, w: 4, h: 4 }, // center (6, 5): cell (1, 1)
      { name: "zebra", x: 8, y: 8, w: 4, h: 4 }, // not among the names
      { name: "dog", x: 14, y: 14, w: 4, h: 4 }, // center (16, 16), at the edge: cell (3, 3)
    ],
  };
  const { shape, data } = centerLabels([picture], ["cat", "dog"], { grid: 4, cell: 4 });
  expect(shape).toEqual([1, 2, 4, 4]);
  expect([...data]).toEqual(
    [
      [1, -1, -1, 0, -1, 1, -1, 0, -1, -1, -1, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, 0, 0, -1, 1],
    ].flat(),
  );
});

test("colors of corners are the ends of a fade", () => {
  const fade: Picture = { image, caption: "", background: { from: "red", to: "blue", direction: "down" } };
  const { data } = cornerLabels([fade]);
  expect([...data].map((i) => BACKGROUND_NAMES[i])).toEqual(["red", "blue"]);
});

test("the focal loss of four cells, worked by hand; a neighbor of a center has no gradient", () => {
  const logits = input("logits", [1, 1, 2, 2]);
  const loss = centersLoss(logits, input("labels", [1, 1, 2, 2]));
  const feeds = { logits: [0, Math.log(3), -Math.log(3), 2], labels: [1, 0, 0, -1] };
  const [value, slope] = evaluate([loss, gradients(loss, [logits])[0]!], { feeds });
  const [half, likely, unlikely] = [0.25 * Math.log(2), 0.75 ** 2 * Math.log(4), 0.25 ** 2 * Math.log(4 / 3)];
  expect(value!.data[0]).toBeCloseTo(half + likely + unlikely, 6);
  expect([...slope!.data].map(Math.sign)).toEqual([-1, 1, 1, 0]);
});

test("a picture without objects costs what it sees in vain, and huge logits stay finite", () => {
  const loss = centersLoss(input("logits", [1, 1, 1, 2]), input("labels", [1, 1, 1, 2]));
  expect(evaluate([loss], { feeds: { logits: [300, -300], labels: [0, 0] } })[0]!.data[0]).toBeCloseTo(300, 3);
  expect(evaluate([loss], { feeds: { logits: [300, -300], labels: [1, 0] } })[0]!.data[0]).toBeCloseTo(0, 6);
});

test("the loss of corners is a mean over both", () => {
  const loss = cornersLoss(input("logits", [1, 2, 2]), input("labels", [1, 2], "i32"));
  const [value] = evaluate([loss], { feeds: { logits: [0, Math.log(3), 0, 0], labels: [1, 0] } });
  expect(value!.data[0]).toBeCloseTo((Math.log(4 / 3) + Math.log(2)) / 2, 6);
});
