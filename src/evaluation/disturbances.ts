/** Changes of a picture that leave its content as it is, so codes and retrieval should withstand them. */
import { hashText, Rng } from "../base/rng.ts";
import type { ScenePlan, SceneSource } from "../data/index.ts";
import { crop, type RgbImage, resize } from "../image/index.ts";
import { throughJpeg } from "../image/jpeg-node.ts";
import { imageOf } from "./scores.ts";

/** A scene that can be drawn on another background. */
export interface DrawnScene {
  readonly source: Pick<SceneSource, "draw">;
  readonly plan: ScenePlan;
}

export type Disturbance = (image: RgbImage, scene: DrawnScene) => RgbImage | Promise<RgbImage>;

const SHIFT = 2;
/** Standard deviations, in levels of 255. */
const [NOISE, TEXTURE] = [16, 32];

export const DISTURBANCES: Readonly<Record<string, Disturbance>> = {
  /** A JPEG of quality 30. */
  jpeg30: (image) => throughJpeg(image, 30),
  /** Gaussian noise of deviation 16 levels on every channel. */
  noise: (image, { plan }) => {
    const rng = new Rng(hashText(`noise/${plan.seed}`));
    return mapLevels(image, (level) => level + NOISE * rng.normal());
  },
  /** 2 px to the right and down; edges are repeated. */
  shift2: (image) => moved(image, (x, y) => [x - SHIFT, y - SHIFT]),
  /** At 90 % of its size, in the middle; edges are repeated. */
  scale90: (image) => {
    const [width, height] = [Math.round(0.9 * image.width), Math.round(0.9 * image.height)];
    const [left, top] = [(image.width - width) >> 1, (image.height - height) >> 1];
    return moved(resize(image, width, height), (x, y) => [x - left, y - top], image);
  },
  /** The middle 90 %, at full size. */
  crop90: (image) => {
    const [width, height] = [Math.round(0.9 * image.width), Math.round(0.9 * image.height)];
    const middle = crop(image, (image.width - width) >> 1, (image.height - height) >> 1, width, height);
    return resize(middle, image.width, image.height);
  },
  /** Luma instead of colors (ITU-R BT.601). */
  gray: ({ width, height, data }) => {
    const gray = new Uint8Array(data.length);
    for (let i = 0; i < data.length; i += 3)
      gray.fill(Math.round(0.299 * data[i]! + 0.587 * data[i + 1]! + 0.114 * data[i + 2]!), i, i + 3);
    return { width, height, data: gray };
  },
  /** Behind the objects, a texture whose amplitude falls with frequency, as that of photographs does. */
  texture: (image, { source, plan }) => {
    const on = (name: "black" | "white"): Uint8Array =>
      imageOf(source.draw({ ...plan, background: { from: name, to: name, direction: "right" } })).data;
    const [dark, light] = [on("black"), on("white")];
    const texture = oneOverF(image.width, new Rng(hashText(`texture/${plan.seed}`)));
    // Where the background shows through, both drawings differ by as much as black and white do.
    return mapLevels(
      image,
      (level, i) => level + (TEXTURE * (light[i]! - dark[i]!) * texture[Math.floor(i / 3)]!) / 231,
    );
  },
};

function mapLevels({ width, height, data }: RgbImage, level: (own: number, at: number) => number): RgbImage {
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) out[i] = level(data[i]!, i);
  return { width, height, data: new Uint8Array(out.buffer) };
}

/** A picture whose pixel (x, y) is that of `image` at `from(x, y)`, or the nearest one inside. */
function moved(
  image: RgbImage,
  from: (x: number, y: number) => readonly [number, number],
  { width, height }: Pick<RgbImage, "width" | "height"> = image,
): RgbImage {
  const data = new Uint8Array(width * height * 3);
  const within = (i: number, size: number): number => Math.min(Math.max(i, 0), size - 1);
  for (let y = 0, o = 0; y < height; y++)
    for (let x = 0; x < width; x++, o += 3) {
      const [fromX, fromY] = from(x, y);
      const at = (within(fromY, image.height) * image.width + within(fromX, image.width)) * 3;
      data.set(image.data.subarray(at, at + 3), o);
    }
  return { width, height, data };
}

/** Octaves of equal variance, each twice as fine as the one before: mean 0, deviation 1. f32 [size*size] */
export function oneOverF(size: number, rng: Rng): Float32Array {
  const out = new Float32Array(size * size);
  for (let cells = 2; cells <= size; cells *= 2) {
    const knots = Float32Array.from({ length: (cells + 1) ** 2 }, () => rng.normal());
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) {
        const [u, v] = [(x * cells) / size, (y * cells) / size];
        const [left, top] = [Math.floor(u), Math.floor(v)];
        const [fx, fy] = [u - left, v - top];
        const knot = (dx: number, dy: number): number => knots[(top + dy) * (cells + 1) + left + dx]!;
        const upper = knot(0, 0) * (1 - fx) + knot(1, 0) * fx;
        const lower = knot(0, 1) * (1 - fx) + knot(1, 1) * fx;
        out[y * size + x]! += upper * (1 - fy) + lower * fy;
      }
  }
  const mean = out.reduce((a, b) => a + b, 0) / out.length;
  const deviation = Math.sqrt(out.reduce((sum, x) => sum + (x - mean) ** 2, 0) / out.length);
  return out.map((x) => (x - mean) / deviation);
}
