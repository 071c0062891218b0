import { expect, test } from "vitest";
import { comparisonSheet } from "./comparison.ts";
import { drawText, LETTER_HEIGHT, LETTER_WIDTH } from "./letters.ts";
import { blankImage, type RgbImage } from "./rgb-image.ts";

/** Rows of "#" for black and "." for anything else. */
function show({ width, height, data }: RgbImage): string[] {
  const pixel = (x: number, y: number): string => (data[(y * width + x) * 3] === 0 ? "#" : ".");
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => pixel(x, y)).join(""));
}

test("letters are drawn where they are asked for, capital or not", () => {
  const image = blankImage(2 * LETTER_WIDTH + 1, LETTER_HEIGHT, 255);
  drawText(image, "Ag", 1, 0);
  expect(show(image)).toEqual([
    ".............",
    ".............",
    "..###...####.",
    ".....#.#...#.",
    "..####.#...#.",
    ".#...#.#...#.",
    "..####..####.",
    "...........#.",
    "........###..",
  ]);
});

test("letters grow by a whole factor, are cut at the edge, and unknown ones are a gap", () => {
  const image = blankImage(14, 14, 255);
  drawText(image, "1", -2, 0, 2);
  drawText(image, "é", 0, 0);
  expect(show(image).slice(0, 4)).toEqual(["..##..........", "..##..........", "####..........", "####.........."]);
});

test("a sheet has a titled column for each version and a row for each subject, small pictures enlarged", () => {
  const color = (value: number, size: number): RgbImage => blankImage(size, size, value);
  const sheet = comparisonSheet(
    ["original", "32 codes"],
    [
      [color(10, 64), color(20, 32)],
      [color(30, 64), color(40, 32)],
    ],
  );
  expect([sheet.width, sheet.height]).toEqual([3 * 8 + 2 * 128, 8 + 18 + 8 + 2 * 136]);
  const at = (x: number, y: number): number => sheet.data[(y * sheet.width + x) * 3]!;
  expect([at(8, 34), at(135, 161), at(136, 34), at(144, 34), at(8, 170), at(271, 297)]).toEqual([
    10, 10, 255, 20, 30, 40,
  ]);
  const title = (from: number): boolean =>
    show(sheet)
      .slice(8, 26)
      .some((row) => row.slice(from, from + 128).includes("#"));
  expect([title(8), title(144)]).toEqual([true, true]);
});

test("long titles are broken between words, and the pictures begin below the longest", () => {
  const sheet = comparisonSheet(
    ["three blue cars above a strawberry", "a star"],
    [[blankImage(128, 128, 9), blankImage(128, 128, 9)]],
  );
  expect(sheet.height).toBe(8 + 2 * 9 + 8 + 136);
  const taller = comparisonSheet(
    ["three yellow stars to the right of a strawberry on black"],
    [[blankImage(128, 128, 9)]],
  );
  expect(taller.height).toBe(8 + 3 * 9 + 8 + 136);
  const written = show(taller).map((row) => row.slice(8, 136).includes("#"));
  expect([8, 17, 26].map((line) => written.slice(line, line + 7).includes(true))).toEqual([true, true, true]);
});

test("rows must fit the titles", () => {
  expect(() => comparisonSheet(["a", "b"], [[blankImage(1, 1)]])).toThrow("sheet: expected 2 pictures a row, got 1.");
});

test("no rows, only titles", () => {
  expect(comparisonSheet(["a"], [])).toMatchObject({ width: 144, height: 34 });
});
