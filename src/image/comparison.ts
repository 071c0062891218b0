/** Pictures side by side: a row for each subject, a titled column for each version of it. */
import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { drawText, LETTER_HEIGHT, LETTER_WIDTH } from "./letters.ts";
import { blankImage, type RgbImage } from "./rgb-image.ts";

const GAP = 8;
/** Small pictures are enlarged by a whole factor until a cell has at least this side, px. */
const CELL = 128;

/** All in one picture. rows: each as long as `titles`. @throws UsageError if one is not. */
export function comparisonSheet(titles: readonly string[], rows: readonly (readonly RgbImage[])[]): RgbImage {
  const wrong = rows.find((row) => row.length !== titles.length);
  if (wrong) throw new UsageError(`sheet: expected ${titles.length} pictures a row, got ${wrong.length}.`);
  const cells = rows.map((row) => row.map((image) => enlarge(image)));
  const side = (of: (image: RgbImage) => number): number => cells.flat().reduce((max, c) => Math.max(max, of(c)), CELL);
  const [cellWidth, cellHeight] = [side((c) => c.width), side((c) => c.height)];
  const zoom = titles.every((title) => title.length * LETTER_WIDTH * 2 <= cellWidth) ? 2 : 1;
  const lines = titles.map((title) => wrapped(title, Math.floor(cellWidth / (LETTER_WIDTH * zoom))));
  const header = GAP + Math.max(2, ...lines.map(({ length }) => length * zoom)) * LETTER_HEIGHT;
  const width = GAP + titles.length * (cellWidth + GAP);
  const sheet = blankImage(width, header + GAP + rows.length * (cellHeight + GAP), 255);
  for (const [column, own] of lines.entries()) {
    const x = GAP + column * (cellWidth + GAP);
    for (const [line, text] of own.entries())
      drawText(
        sheet,
        text,
        x + ((cellWidth - text.length * LETTER_WIDTH * zoom) >> 1),
        GAP + line * LETTER_HEIGHT * zoom,
        zoom,
      );
    for (const [row, pictures] of cells.entries())
      paste(sheet, item(pictures, column), x, header + GAP + row * (cellHeight + GAP));
  }
  return sheet;
}

/** Lines of at most `most` letters, broken between words; a longer word is cut. */
function wrapped(text: string, most: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").map((whole) => whole.slice(0, most))) {
    const longer = line ? `${line} ${word}` : word;
    if (line && longer.length > most) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** Every pixel becomes a square, so that nothing is blurred. */
function enlarge(image: RgbImage): RgbImage {
  const factor = Math.ceil(CELL / Math.max(image.width, image.height));
  const [width, height] = [image.width * factor, image.height * factor];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = (Math.floor(y / factor) * image.width + Math.floor(x / factor)) * 3;
      data.set(image.data.subarray(from, from + 3), (y * width + x) * 3);
    }
  return { width, height, data };
}

function paste(sheet: RgbImage, { width, height, data }: RgbImage, x: number, y: number): void {
  for (let row = 0; row < height; row++)
    sheet.data.set(data.subarray(row * width * 3, (row + 1) * width * 3), ((y + row) * sheet.width + x) * 3);
}
