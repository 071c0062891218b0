import fc from "fast-check";
import sharp from "sharp";
import { expect, test } from "vitest";
import type { PictureKind } from "./codec.ts";
import { readHeader } from "./picture-header.ts";

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: { r: 200, g: 30, b: 90 } } });

const files: [string, PictureKind, () => Promise<Uint8Array>][] = [
  ["png", "PNG", () => picture(70, 33).png().toBuffer()],
  ["jpeg", "JPEG", () => picture(70, 33).withMetadata({ orientation: 1 }).jpeg().toBuffer()],
  ["progressive jpeg", "JPEG", () => picture(70, 33).jpeg({ progressive: true }).toBuffer()],
  ["webp", "WebP", () => picture(70, 33).webp().toBuffer()],
  ["lossless webp", "WebP", () => picture(70, 33).webp({ lossless: true }).toBuffer()],
  ["webp with a profile", "WebP", () => picture(70, 33).withIccProfile("p3").webp().toBuffer()],
  ["gif", "GIF", () => picture(70, 33).gif().toBuffer()],
  ["avif", "AVIF", () => picture(70, 33).avif().toBuffer()],
];

test.each(files)("%s", async (_, kind, make) => {
  expect(readHeader(await make(), kind)).toEqual({ width: 70, height: 33, frames: 1 });
});

test("animations", async () => {
  const two = Uint8Array.from({ length: 8 * 16 * 3 }, (_, i) => (i < 8 * 8 * 3 ? 0 : 255));
  const frames = () => sharp(two, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } });
  expect(readHeader(await frames().gif().toBuffer(), "GIF")).toEqual({ width: 8, height: 8, frames: 2 });
  const webp = await frames().webp({ lossless: true }).toBuffer();
  expect(readHeader(webp, "WebP")).toEqual({ width: 8, height: 8, frames: 2 });
});

test("a frame that is larger than its screen", async () => {
  const gif = await picture(48, 32).gif().toBuffer();
  const frame = gif.indexOf(Buffer.of(0x2c, 0, 0, 0, 0, 48, 0, 32, 0));
  gif.fill(0xfd, frame + 5, frame + 9);
  expect(readHeader(gif, "GIF")).toMatchObject({ width: 65021, height: 65021 });
});

test("damaged and short bytes end with a size or an error, never with a hang", async () => {
  const made = await Promise.all(files.map(async ([, kind, make]) => [kind, await make()] as const));
  fc.assert(
    fc.property(
      fc.nat(made.length - 1),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }),
      fc.nat(),
      (k, edits, cut) => {
        const [kind, file] = made[k]!;
        const bytes = Uint8Array.from(file.subarray(0, cut % (file.length + 1)));
        for (const [at, value] of edits) if (bytes.length > 0) bytes[at % bytes.length] = value;
        try {
          const { width, height } = readHeader(bytes, kind);
          expect(width * height).toBeGreaterThan(0);
        } catch (error) {
          expect((error as Error).message).toBe("its size is missing");
        }
      },
    ),
    { numRuns: 500 },
  );
});
