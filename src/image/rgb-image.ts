/** The one form in which pictures travel through Seedling: 8-bit sRGB, row-major. */

/** data: u8 [height,width,3]. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** An image of one color (default black), ready to be filled. */
export function blankImage(width: number, height: number, value = 0): RgbImage {
  return { width, height, data: new Uint8Array(width * height * 3).fill(value) };
}
