import fc from "fast-check";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../base/errors.ts";
import { decodeImage } from "./decode.ts";
import { encodePng } from "./encode.ts";
import type { RgbImage } from "./rgb-image.ts";

/** 48x32: red left half, blue right half, with some texture so that files have a body to cut off. */
const picture: RgbImage = { width: 48, height: 32, data: new Uint8Array(48 * 32 * 3) };
for (let i = 0; i < 48 * 32; i++) {
  const left = i % 48 < 24;
  picture.data.set([left ? 200 + ((i * 7) % 50) : 20, (i * 13) % 40, left ? 20 : 200 + ((i * 11) % 50)], i * 3);
}
const raw = () => sharp(picture.data, { raw: { width: 48, height: 32, channels: 3 } });
const files: Record<string, Uint8Array> = {};

beforeAll(async () => {
  files.png = await raw().png().toBuffer();
  files.jpg = await raw().jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer();
  files.webp = await raw().webp({ lossless: true }).toBuffer();
  files.gif = await raw().gif().toBuffer();
  files.avif = await raw().avif({ quality: 90 }).toBuffer();
});

function pixel({ data, width }: RgbImage, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

function expectRed([r, g, b]: number[]) {
  expect(r).toBeGreaterThan(150);
  expect(g).toBeLessThan(90);
  expect(b).toBeLessThan(90);
}

describe("every format", () => {
  test.each(["png", "jpg", "webp", "gif", "avif"])("%s", async (kind) => {
    const image = await decodeImage(files[kind]!, `a.${kind}`);
    expect([image.width, image.height, image.data.length]).toEqual([48, 32, 48 * 32 * 3]);
    expectRed(pixel(image, 5, 5));
    expect(pixel(image, 40, 5)[2]).toBeGreaterThan(150);
  });

  test("lossless formats keep every pixel", async () => {
    expect((await decodeImage(files.png!, "a.png")).data).toEqual(picture.data);
    expect((await decodeImage(files.webp!, "a.webp")).data).toEqual(picture.data);
  });

  test("1x1", async () => {
    const dot = await encodePng({ width: 1, height: 1, data: Uint8Array.of(1, 2, 3) });
    expect(await decodeImage(dot, "dot.png")).toEqual({ width: 1, height: 1, data: Uint8Array.of(1, 2, 3) });
  });

  test("gray becomes three channels", async () => {
    for (const file of [await raw().grayscale().png().toBuffer(), await raw().grayscale().jpeg().toBuffer()]) {
      const { data } = await decodeImage(file, "gray");
      expect(data.length).toBe(48 * 32 * 3);
      expect([data[0], data[1]]).toEqual([data[1], data[2]]);
    }
  });

  test("16 bits become 8", async () => {
    const deep = Uint16Array.from([0, 32768, 65535]);
    const png = await sharp(deep, { raw: { width: 1, height: 1, channels: 3 } })
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    expect((await sharp(png).metadata()).depth).toBe("ushort");
    expect([...(await decodeImage(png, "deep.png")).data]).toEqual([0, 128, 255]);
    const gray = await sharp(Uint16Array.of(65535), { raw: { width: 1, height: 1, channels: 1 } })
      .toColourspace("gray16")
      .png()
      .toBuffer();
    expect([...(await decodeImage(gray, "deep-gray.png")).data]).toEqual([255, 255, 255]);
  });

  test("transparency is laid on white", async () => {
    const rgba = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 255);
    const png = await sharp(rgba, { raw: { width: 2, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    expect([...(await decodeImage(png, "alpha.png")).data]).toEqual([255, 255, 255, 255, 0, 0]);
  });

  test("EXIF turns the picture upright", async () => {
    const turned = await raw().withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const image = await decodeImage(turned, "phone.jpg");
    expect([image.width, image.height]).toEqual([32, 48]);
    expectRed(pixel(image, 16, 5)); // the left side is on top after a quarter turn to the right
  });

  test("CMYK becomes sRGB", async () => {
    const cmyk = await raw().toColourspace("cmyk").jpeg().toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe("cmyk");
    const image = await decodeImage(cmyk, "print.jpg");
    expect(image.data.length).toBe(48 * 32 * 3);
    expectRed(pixel(image, 5, 5));
  });

  test("an animation gives its first frame and a warning", async () => {
    const two = Buffer.concat([Buffer.alloc(8 * 8 * 3, 0), Buffer.alloc(8 * 8 * 3, 255)]);
    const frames = () => sharp(two, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } });
    for (const file of [await frames().gif().toBuffer(), await frames().webp({ lossless: true }).toBuffer()]) {
      const warnings: string[] = [];
      const image = await decodeImage(file, "moving.gif", { warn: (line) => warnings.push(line) });
      expect([image.width, image.height, image.data[0]]).toEqual([8, 8, 0]);
      expect(warnings).toEqual(["moving.gif: an animation of 2 frames; only the first is used."]);
    }
  });
});

describe("refusals, one line each", () => {
  const expected = "expected a PNG, JPEG, WebP, GIF or AVIF picture, got";
  test.each([
    ["text", Buffer.from("not a picture\n"), `a.png: ${expected} a text file ("not a picture\\n"). Convert it first.`],
    ["svg", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"), `a.png: ${expected} an SVG or XML file.`],
    ["xml", Buffer.from("\ufeff<?xml version='1.0'?><svg/>"), `a.png: ${expected} an SVG or XML file.`],
    ["pdf", Buffer.from("%PDF-1.4\n"), `a.png: ${expected} a PDF.`],
    ["empty", Buffer.alloc(0), `a.png: ${expected} an empty file.`],
    ["noise", Buffer.from([1, 2, 3, 250]), `a.png: ${expected} an unknown kind of file.`],
  ])("%s", async (_, bytes, message) => {
    const error = await decodeImage(bytes, "a.png").catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toContain(message);
  });

  test.each(["png", "jpg", "webp", "gif", "avif"])("a %s cut short", async (kind) => {
    const file = files[kind]!;
    for (const share of [0.3, 0.6, 0.9]) {
      const cut = file.subarray(0, Math.floor(file.length * share));
      const error = await decodeImage(cut, "cut").catch((e: unknown) => e);
      expect(error, `${share} of a ${kind}`).toBeInstanceOf(InputError);
      expect((error as Error).message).toMatch(/^cut: damaged .* picture \(.*\)\. Save or download it again\.$/);
    }
  });

  test("too many pixels, by the header alone", async () => {
    const bomb = Buffer.from(files.jpg!);
    bomb.fill(0xfa, bomb.indexOf(Buffer.of(0xff, 0xc0)) + 5, bomb.indexOf(Buffer.of(0xff, 0xc0)) + 9); // 64250
    const before = process.memoryUsage().rss;
    await expect(decodeImage(bomb, "bomb.jpg")).rejects.toThrow(
      "bomb.jpg: expected at most 100000000 pixels, got 64250x64250. Shrink it first.",
    );
    const gif = Buffer.from(files.gif!);
    gif.writeUInt16LE(65000, 6);
    gif.writeUInt16LE(65000, 8);
    const frame = gif.indexOf(Buffer.of(0x2c, 0, 0, 0, 0, 48, 0, 32, 0)); // the frame's own position and size
    gif.fill(0xfd, frame + 5, frame + 9); // 65021
    await expect(decodeImage(gif, "bomb.gif")).rejects.toThrow("got 65021x65021");
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
    await expect(decodeImage(files.png!, "a.png", { maxPixels: 1000 })).rejects.toThrow(
      "a.png: expected at most 1000 pixels, got 48x32. Shrink it first.",
    );
  });

  test("too many bytes", async () => {
    await expect(decodeImage(files.png!, "a.png", { maxBytes: 10 })).rejects.toThrow(
      `a.png: expected at most 10 bytes, got ${files.png!.length}. Make the picture smaller.`,
    );
  });

  test("damaged bytes give a picture or one line", async () => {
    const kinds = Object.keys(files);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(kinds.length - 1),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
        fc.option(fc.nat()),
        async (k, edits, cut) => {
          const bytes = Buffer.from(files[kinds[k]!]!);
          for (const [at, value] of edits) bytes[at % bytes.length] = value;
          const error = await decodeImage(cut === null ? bytes : bytes.subarray(0, cut % bytes.length), "x", {
            maxPixels: 1e6,
          }).then(
            () => undefined,
            (e: unknown) => e,
          );
          if (error === undefined) return;
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).not.toMatch(/[\r\n]/);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("PNG out", () => {
  test("pixels and notes come back", async () => {
    const png = await encodePng(picture, { codes: "1 2 3", Title: "grün 猫" });
    expect((await decodeImage(png, "a.png")).data).toEqual(picture.data);
    const { comments } = await sharp(png).metadata();
    expect(comments).toEqual([
      { keyword: "codes", text: "1 2 3" },
      { keyword: "Title", text: "grün 猫" },
    ]);
  });

  test("the same picture gives the same bytes", async () => {
    expect(await encodePng(picture, { a: "b" })).toEqual(await encodePng(picture, { a: "b" }));
  });

  test("refuses what PNG cannot hold", async () => {
    await expect(encodePng({ ...picture, width: 47 })).rejects.toThrow(
      "encodePng: expected 4512 bytes for 47x32, got 4608.",
    );
    await expect(encodePng(picture, { "": "x" })).rejects.toThrow("expected a keyword of 1 to 79 Latin-1 characters");
    await expect(encodePng(picture, { a: "x\0" })).rejects.toThrow("a value cannot hold a zero character");
  });
});
