/** The baseline without a model for whole pictures: the training picture whose pixels are nearest. */
import { type RgbImage, resize } from "../../image/index.ts";

const SIDE = 16;

/** For each picture the index of the nearest of the gallery, by the squared distance of 16 x 16 pixels. */
export function nearestByPixels(images: readonly RgbImage[], gallery: readonly RgbImage[]): number[] {
  const thumbs = gallery.map((image) => Float32Array.from(thumbnail(image)));
  return images.map((image) => {
    const thumb = thumbnail(image);
    let [best, nearest] = [Infinity, 0];
    for (const [i, other] of thumbs.entries()) {
      let distance = 0;
      for (let k = 0; k < other.length && distance < best; k++) distance += (other[k]! - thumb[k]!) ** 2;
      if (distance < best) [best, nearest] = [distance, i];
    }
    return nearest;
  });
}

function thumbnail(image: RgbImage): RgbImage["data"] {
  return resize(image, SIDE, SIDE, "bilinear").data;
}
