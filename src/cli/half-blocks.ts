/** A picture in characters: each shows two pixels, the upper one as the color of "▀", the lower one as its background. */
import { type RgbImage, resize } from "../image/index.ts";

/** Bits of color that a terminal shows: 24 for all colors, 8 for 256 of them. */
export type ColorDepth = 8 | 24;

/** Lines of at most `columns` characters and `rows` lines; the picture is made smaller to fit, never larger. */
export function halfBlocks(image: RgbImage, columns: number, rows: number, depth: ColorDepth): string {
  const scale = Math.min(1, columns / image.width, (2 * rows) / image.height);
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale))) as [
    number,
    number,
  ];
  const { data } = scale < 1 ? resize(image, width, height) : image;
  const color = (x: number, y: number): string => {
    const [r = 0, g = 0, b = 0] = data.subarray(3 * (y * width + x));
    return depth === 24 ? `2;${r};${g};${b}` : `5;${cube(r, g, b)}`;
  };
  const lines: string[] = [];
  for (let y = 0; y < height; y += 2) {
    let [line, upper, lower] = ["", "", ""];
    for (let x = 0; x < width; x++) {
      const [over, under] = [color(x, y), y + 1 < height ? color(x, y + 1) : ""];
      if (over !== upper) line += `\x1b[38;${over}m`;
      if (under !== lower) line += `\x1b[48;${under}m`;
      [upper, lower] = [over, under];
      line += "▀";
    }
    lines.push(`${line}\x1b[0m\n`);
  }
  return lines.join("");
}

/** The nearest of the 6 x 6 x 6 colors that terminals with 256 colors share; their levels are 0, 95, 135, 175, 215, 255. */
function cube(r: number, g: number, b: number): number {
  const level = (value: number): number => (value < 48 ? 0 : value < 115 ? 1 : Math.floor((value - 35) / 40));
  return 16 + 36 * level(r) + 6 * level(g) + level(b);
}
