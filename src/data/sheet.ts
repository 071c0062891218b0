/** Contact sheets: many pictures with their captions in one PNG. */

import { blankImage, encodePng, type RgbImage } from "../image/index.ts";
import { drawSvg } from "../image/raster-node.ts";

export interface SheetItem {
  readonly image: RgbImage;
  readonly caption?: string;
}

export interface SheetOptions {
  /** Pictures side by side. Default: as many as make the sheet about square. */
  columns?: number;
  /** Each picture is enlarged by this whole factor. Default 1. */
  zoom?: number;
  /** Lines kept for each caption; what does not fit is cut off. Default 3, or 0 if no item has a caption. */
  lines?: number;
}

const GAP = 6;
const LINE = 12;
const FONT = 10;
/** Mean width of a letter of the caption in pixels, for breaking lines. */
const LETTER = 5.9;

/** A PNG of the items, row by row. */
export async function contactSheet(items: readonly SheetItem[], options: SheetOptions = {}): Promise<Uint8Array> {
  const { zoom = 1, columns = Math.max(1, Math.ceil(Math.sqrt(items.length))) } = options;
  const { lines = items.some((item) => item.caption) ? 3 : 0 } = options;
  const width = Math.max(1, ...items.map(({ image }) => image.width)) * zoom;
  const height = Math.max(1, ...items.map(({ image }) => image.height)) * zoom;
  const [cellWidth, cellHeight] = [width + GAP, height + GAP + lines * LINE];
  const rows = Math.ceil(items.length / columns);
  const corner = (i: number) => ({ x: GAP + (i % columns) * cellWidth, y: GAP + Math.floor(i / columns) * cellHeight });

  const [sheetWidth, sheetHeight] = [GAP + columns * cellWidth, GAP + rows * cellHeight];
  const texts = items.flatMap(({ caption = "" }, i) => {
    const { x, y } = corner(i);
    return wrap(caption, Math.floor(width / LETTER), lines).map(
      (line, n) => `<text x="${x}" y="${y + height + (n + 1) * LINE - 2}">${escapeXml(line)}</text>`,
    );
  });
  const sheet = texts.length
    ? await drawSvg(
        `<svg xmlns="http://www.w3.org/2000/svg" width="${sheetWidth}" height="${sheetHeight}" font-family="sans-serif" font-size="${FONT}">${texts.join("")}</svg>`,
      )
    : blankImage(sheetWidth, sheetHeight, 255);
  for (const [i, { image }] of items.entries()) paste(sheet, image, corner(i), zoom);
  return encodePng(sheet);
}

function paste(sheet: RgbImage, image: RgbImage, { x, y }: { x: number; y: number }, zoom: number): void {
  for (let row = 0; row < image.height * zoom; row++) {
    for (let column = 0; column < image.width * zoom; column++) {
      const from = (Math.floor(row / zoom) * image.width + Math.floor(column / zoom)) * 3;
      sheet.data.set(image.data.subarray(from, from + 3), ((y + row) * sheet.width + x + column) * 3);
    }
  }
}

/** Breaks text at spaces into at most `lines` lines of `letters`. */
export function wrap(text: string, letters: number, lines: number): string[] {
  const out: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const last = out.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= letters) out[out.length - 1] = `${last} ${word}`;
    else out.push(word);
  }
  return out.slice(0, lines);
}

const escapeXml = (text: string): string =>
  // Control characters are not allowed in XML at all.
  text.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`).replace(/\p{Cc}/gu, " ");
