/** Named colors: twelve backgrounds, and the color that a drawing mostly has. */

export type Rgb = readonly [r: number, g: number, b: number];

export const BACKGROUNDS = {
  white: [255, 255, 255],
  black: [24, 24, 24],
  gray: [148, 148, 148],
  red: [222, 56, 58],
  orange: [246, 148, 50],
  yellow: [250, 222, 92],
  green: [88, 178, 92],
  "light blue": [172, 216, 250],
  blue: [78, 128, 230],
  purple: [148, 92, 204],
  pink: [250, 170, 204],
  brown: [146, 102, 66],
} as const satisfies Record<string, Rgb>;
export type BackgroundName = keyof typeof BACKGROUNDS;
export const BACKGROUND_NAMES = Object.keys(BACKGROUNDS) as BackgroundName[];

export type ColorName = Exclude<BackgroundName, "light blue">;
export const COLOR_NAMES = BACKGROUND_NAMES.filter((name): name is ColorName => name !== "light blue");

/** A drawing has a color if at least this share of its opaque pixels does. */
const MAJORITY = 0.62;

/** The color that most of a sprite has. pixels: premultiplied RGBA, u8 [N,4]. */
export function colorOf(pixels: Uint8Array): ColorName | undefined {
  const { counts, opaque } = countColors(pixels);
  for (const [name, count] of counts) if (name && count >= MAJORITY * opaque) return name;
  return undefined;
}

function countColors(pixels: Uint8Array): { counts: Map<ColorName | undefined, number>; opaque: number } {
  const counts = new Map<ColorName | undefined, number>();
  let opaque = 0;
  // Icons are flat: runs of equal pixels are named once.
  for (let i = 0; i < pixels.length; ) {
    const start = i;
    do i += 4;
    while (i < pixels.length && samePixel(pixels, start, i));
    const alpha = pixels[start + 3]!;
    if (alpha < 128) continue;
    const run = (i - start) / 4;
    opaque += run;
    const straight = 255 / alpha;
    const name = nameColor([pixels[start]! * straight, pixels[start + 1]! * straight, pixels[start + 2]! * straight]);
    counts.set(name, (counts.get(name) ?? 0) + run);
  }
  return { counts, opaque };
}

function samePixel(pixels: Uint8Array, i: number, j: number): boolean {
  return (
    pixels[i] === pixels[j] &&
    pixels[i + 1] === pixels[j + 1] &&
    pixels[i + 2] === pixels[j + 2] &&
    pixels[i + 3] === pixels[j + 3]
  );
}

const counted = new WeakMap<object, ReturnType<typeof countColors>>();

/** The share (0 to 1) of a sprite's opaque pixels that have a color. half: premultiplied RGBA, u8 [N,4]. */
export function colorShare(sprite: { readonly half: Uint8Array }, color: ColorName): number {
  const known = counted.get(sprite) ?? countColors(sprite.half);
  counted.set(sprite, known);
  return (known.counts.get(color) ?? 0) / Math.max(known.opaque, 1);
}

/**
 * The name that people would agree on, or undefined for the shades between two names: gold is neither orange nor
 * yellow, turquoise neither green nor blue.
 */
export function nameColor([r, g, b]: Rgb): ColorName | undefined {
  const max = Math.max(r, g, b);
  const chroma = max - Math.min(r, g, b);
  const value = max / 255;
  const saturation = max === 0 ? 0 : chroma / max;
  if (value < 0.25 || (value < 0.32 && saturation < 0.25)) return "black";
  if (saturation < 0.12) return value > 0.9 ? "white" : value < 0.82 ? "gray" : undefined;
  if (saturation < 0.25) return undefined;
  const sector = max === r ? ((g - b) / chroma + 6) % 6 : max === g ? (b - r) / chroma + 2 : (r - g) / chroma + 4;
  const hue = sector * 60;
  if (hue >= 345 || hue < 12) return value > 0.85 && saturation < 0.5 ? "pink" : value > 0.5 ? "red" : undefined;
  if (hue < 42 && value < 0.68) return "brown";
  if (hue < 16) return undefined;
  if (hue < 34) return saturation > 0.65 && value > 0.85 ? "orange" : undefined;
  if (hue < 46) return undefined;
  if (hue < 62) return value > 0.8 && saturation > 0.4 ? "yellow" : undefined;
  if (hue < 75) return undefined;
  if (hue < 160) return "green";
  if (hue < 195) return undefined;
  if (hue < 240) return "blue";
  if (hue < 255) return undefined;
  if (hue < 295) return "purple";
  if (hue < 310) return undefined;
  return value > 0.7 ? "pink" : undefined;
}
