import { expect, test } from "vitest";
import { captionLocations } from "./located-phrases.ts";
import type { Picture } from "./pictures.ts";

const image = { width: 4, height: 4, data: new Uint8Array(48) };
const GRID = 2;
/** Rows of a caption: token -> cells, begin token first; tokens without a location are left out. */
function located(picture: Omit<Picture, "image">, names: readonly string[], length = 12): object {
  const { shape, data } = captionLocations([{ image, ...picture }], names, GRID, length);
  expect(shape).toEqual([1, length, 4]);
  const rows = Array.from({ length }, (_, i) => [i, [...data.slice(4 * i, 4 * i + 4)]] as const);
  return Object.fromEntries(rows.filter(([, row]) => row.some((x) => x > 0)));
}

const box = (name: string, x: number, y: number, w = 2, h = 2) => ({ name, x, y, w, h });

test("each noun's token has the patches of its object", () => {
  const objects = [box("cat", 0, 0), box("hot dog", 2, 2)];
  const caption = "a cat to the left of a hot dog";
  expect(located({ caption, objects }, ["hot dog", "cat"])).toEqual({
    2: [1, 0, 0, 0],
    9: [0, 0, 0, 1], // the last word of the name
  });
});

test("plurals, several objects of one name, and a noun that is not said", () => {
  const objects = [box("mouse", 0, 0), box("mouse", 2, 0), box("tree", 0, 2)];
  expect(located({ caption: "two mice", objects }, ["mouse", "tree"])).toEqual({ 2: [0.5, 0.5, 0, 0] });
});

test("both ends of a fade: the first corner and the last", () => {
  const background = { from: "red", to: "light blue", direction: "right" } as unknown as Picture["background"];
  const caption = "a background that fades from red to light blue";
  expect(located({ caption, background }, [])).toEqual({ 6: [1, 0, 0, 0], 9: [0, 0, 0, 1] });
  const plain = { from: "red", to: "red", direction: "right" } as unknown as Picture["background"];
  expect(located({ caption: "from red to red", background: plain }, [])).toEqual({});
});

test("each picture has rows of its own, and what is cut off has none", () => {
  const one = { image, caption: "a cat", objects: [box("cat", 2, 0)] };
  const other = { image, caption: "a very very big cat", objects: [box("cat", 0, 0, 4, 4)] };
  const { data } = captionLocations([one, other], ["cat"], GRID, 4);
  expect([...data.slice(8, 12)]).toEqual([0, 1, 0, 0]);
  expect(data.slice(16).every((x) => x === 0)).toBe(true);
});
