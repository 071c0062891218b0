/**
 * Pictures in a browser: `createImageBitmap` in its default form, drawn on a white canvas. That equals sharp byte for byte
 * for opaque PNG, JPEG, WebP and GIF in sRGB (`colorSpaceConversion: "none"` and `ImageDecoder` do not), is within 1 for
 * transparency, other color profiles and AVIF, and differs for CMYK.
 */
import type { Codec } from "./codec.ts";
import { readHeader } from "./picture-header.ts";

const MIME = {
  PNG: "image/png",
  JPEG: "image/jpeg",
  WebP: "image/webp",
  GIF: "image/gif",
  AVIF: "image/avif",
} as const;

export const codec: Codec = {
  async open(bytes, kind) {
    return {
      // createImageBitmap has no limit of its own, so the size is known before it is called.
      ...readHeader(bytes, kind),
      async decode() {
        const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: MIME[kind] }));
        const { width, height } = bitmap;
        const context = contextOf(width, height);
        context.fillStyle = "#fff";
        context.fillRect(0, 0, width, height);
        context.drawImage(bitmap, 0, 0);
        bitmap.close();
        const rgba = context.getImageData(0, 0, width, height).data;
        const data = new Uint8Array(width * height * 3);
        for (let i = 0, o = 0; o < data.length; i += 4, o += 3) data.set(rgba.subarray(i, i + 3), o);
        return { width, height, data };
      },
    };
  },

  async encodePng({ width, height, data }) {
    const pixels = new ImageData(width, height);
    pixels.data.fill(255);
    for (let i = 0, o = 0; i < data.length; i += 3, o += 4) pixels.data.set(data.subarray(i, i + 3), o);
    const context = contextOf(width, height);
    context.putImageData(pixels, 0, 0);
    const blob = await context.canvas.convertToBlob({ type: "image/png" });
    return new Uint8Array(await blob.arrayBuffer());
  },
};

function contextOf(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext("2d", { colorSpace: "srgb" });
  if (!context) throw new Error("the browser has no 2d canvas");
  return context;
}
