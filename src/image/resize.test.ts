import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors, type SafetensorsFile } from "../weights/safetensors.ts";
import { CLIP_STATS, fromTensor, toTensor } from "./normalize.ts";
import { crop, type ResizeFilter, resize, resizeAndCrop } from "./resize.ts";
import { blankImage, type RgbImage } from "./rgb-image.ts";

let fixture: SafetensorsFile;
let size: number;

beforeAll(async () => {
  fixture = await openSafetensors("test/fixtures/tiny-a/preprocess.safetensors");
  size = Number(fixture.metadata.get("target_size"));
});
afterAll(() => fixture.close());

async function picture(name: string): Promise<RgbImage> {
  const [height, width] = fixture.tensors.get(name)!.shape as [number, number, number];
  return { width, height, data: (await fixture.read(name)) as Uint8Array };
}

describe("against Pillow 9.4 and torchvision, bit for bit", () => {
  test.each(["bicubic", "bilinear"] as ResizeFilter[])("%s squash", async (filter) => {
    for (const i of [0, 1]) {
      expect(resize(await picture(`src.${i}`), size, size, filter)).toEqual(await picture(`${filter}.${i}`));
    }
  });

  test("shorter side, then center crop", async () => {
    for (const i of [0, 1])
      expect(resizeAndCrop(await picture(`src.${i}`), size)).toEqual(await picture(`center.${i}`));
  });

  test("normalized pixel values", async () => {
    const expected = await fixture.read("pixel_values.bicubic.0");
    expect(toTensor([await picture("bicubic.0")], CLIP_STATS)).toEqual(expected);
  });
});

describe("resize", () => {
  test("the same size is the same picture", async () => {
    const image = await picture("src.0");
    expect(resize(image, image.width, image.height)).toBe(image);
  });

  test("one pixel fills any size", () => {
    const dot: RgbImage = { width: 1, height: 1, data: Uint8Array.of(10, 200, 255) };
    expect([...resize(dot, 2, 2).data]).toEqual([10, 200, 255, 10, 200, 255, 10, 200, 255, 10, 200, 255]);
  });

  test("the mean of a bilinear halving, by hand", () => {
    // Weights of output 0 over the taps 0, 1, 2 are 0.75, 0.75, 0.25 of 1.75.
    const line: RgbImage = { width: 4, height: 1, data: Uint8Array.from([0, 70, 140, 210].flatMap((v) => [v, v, v])) };
    expect(resize(line, 2, 1, "bilinear").data[0]).toBe(50);
  });

  test("a flat color stays flat at any size", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom<ResizeFilter>("bicubic", "bilinear"),
        (from, width, height, value, filter) => {
          const flat = resize(blankImage(from, from + 3, value), width, height, filter);
          expect(new Set(flat.data)).toEqual(new Set([value]));
        },
      ),
    );
  });

  test("only the middle square is computed, and it is that of the whole resized picture", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom<ResizeFilter>("bicubic", "bilinear"),
        fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
        (width, height, size, filter, noise) => {
          const image = { width, height, data: Uint8Array.from(noise.take(width * height * 3)) };
          const [w, h] =
            width <= height ? [size, Math.trunc((size * height) / width)] : [Math.trunc((size * width) / height), size];
          const even = (x: number): number => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
          const whole = crop(resize(image, w, h, filter), even((w - size) / 2), even((h - size) / 2), size, size);
          expect(resizeAndCrop(image, size, filter)).toEqual(whole);
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each([65_000, 1_000_000])("1x%i costs no more than its own pixels", (height) => {
    const thin = blankImage(1, height, 9);
    thin.data.fill(200, 0, 1.5 * height); // the upper half is lighter
    const before = process.memoryUsage().rss;
    for (const image of [thin, { width: height, height: 1, data: thin.data }]) {
      const squashed = resize(image, 224, 224);
      const far = image === thin ? 223 * 224 * 3 : 223 * 3;
      expect([squashed.data.length, squashed.data[0], squashed.data[far]]).toEqual([224 * 224 * 3, 200, 9]);
      expect(resizeAndCrop(image, 64).data.length).toBe(64 * 64 * 3);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  test("refuses an empty size", () => {
    expect(() => resize(blankImage(2, 2), 0, 5)).toThrow("image size: expected whole numbers of at least 1, got 0x5.");
  });

  test("a photograph of 12 megapixels takes no more than a moment", () => {
    const photo = blankImage(4096, 3072, 7);
    resize(blankImage(512, 512), 224, 224);
    const fastest = Math.min(
      ...[1, 2, 3].map(() => {
        const start = process.cpuUsage();
        resize(photo, 224, 224);
        return process.cpuUsage(start).user / 1000; // ms of work, however busy the machine is
      }),
    );
    expect(fastest).toBeLessThan(1000); // 170 ms on an idle core
  });
});

test("crop must stay inside", () => {
  const message = "crop: expected a rectangle inside 4x3, got 2x2 at (3, 0).";
  expect(() => crop(blankImage(4, 3), 3, 0, 2, 2)).toThrow(message);
});

describe("tensors", () => {
  test("a batch is laid out [B,3,Y,X]", () => {
    const image: RgbImage = { width: 2, height: 1, data: Uint8Array.of(0, 51, 102, 153, 204, 255) };
    const plain = { mean: [0, 0, 0], std: [1, 1, 1] } as const;
    const values = toTensor([image, blankImage(2, 1, 255)], plain);
    expect([...values]).toEqual([0, 0.6, 0.2, 0.8, 0.4, 1, 1, 1, 1, 1, 1, 1].map(Math.fround));
    expect(fromTensor(values, 2, 1)).toEqual(image);
    expect(fromTensor(values, 2, 1, 1)).toEqual(blankImage(2, 1, 255));
  });

  test("values outside 0..1 are clamped, NaN is black", () => {
    expect([...fromTensor(Float32Array.of(-3, 7, Number.NaN), 1, 1).data]).toEqual([0, 255, 0]);
  });

  test("sizes must agree", () => {
    expect(() => toTensor([blankImage(2, 2), blankImage(2, 3)])).toThrow(
      "toTensor: expected every picture to be 2x2, got 2x3 at position 1.",
    );
    expect(() => fromTensor(new Float32Array(11), 2, 2)).toThrow(
      "fromTensor: expected at least 12 values (1x3x2x2), got 11.",
    );
  });
});
