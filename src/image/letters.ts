/** Small letters drawn into pictures: titles look the same on every machine, even without fonts. */
import { item } from "../base/item.ts";
import type { RgbImage } from "./rgb-image.ts";

/** Pixels from one letter to the next, and from one line to the next, at zoom 1. */
export const LETTER_WIDTH = 6;
export const LETTER_HEIGHT = 9;

/** A letter is 5 wide; each character is one row from the top, its five bits in base 32; rows that are left out are empty. */
const GLYPHS: ReadonlyMap<string, string> = new Map(
  (
    "a:00e1fhf b:gguhhhu c:00eggge d:11fhhhf e:00ehvge f:698s888 g:00fhhhf1e h:gguhhhh i:40c444e j:2062222ic " +
    "k:ggikoki l:c44444e m:00qllll n:00uhhhh o:00ehhhe p:00uhhhugg q:00fhhhf11 r:00mpggg s:00fge1u t:88u8896 " +
    "u:00hhhjd v:00hhha4 w:00hhlla x:00ha4ah y:00hhhhf1e z:00v248v 0:ehjlphe 1:4c4444e 2:eh1248v 3:v2421he " +
    "4:26aiv22 5:vgu11he 6:68guhhe 7:v124888 8:ehhehhe 9:ehhf12c"
  )
    .split(" ")
    .map((glyph) => [item(glyph, 0), glyph.slice(2)]),
);

/** Writes `text` in black with its top left corner at (x, y); letters (in lower case) and digits; anything else is a gap. */
export function drawText(image: RgbImage, text: string, x: number, y: number, zoom = 1): void {
  for (const [i, letter] of [...text.toLowerCase()].entries())
    for (const [row, code] of [...(GLYPHS.get(letter) ?? "")].entries()) {
      const bits = Number.parseInt(code, 32);
      for (let column = 0; column < 5; column++)
        if ((bits >> (4 - column)) & 1) fill(image, x + (i * LETTER_WIDTH + column) * zoom, y + row * zoom, zoom);
    }
}

/** A black square, cut at the edges of the picture. */
function fill({ width, height, data }: RgbImage, x: number, y: number, size: number): void {
  for (let row = Math.max(y, 0); row < Math.min(y + size, height); row++)
    for (let column = Math.max(x, 0); column < Math.min(x + size, width); column++)
      data.fill(0, (row * width + column) * 3, (row * width + column) * 3 + 3);
}
