/** The resizing part of a parity fixture: pictures resized by Pillow must come out equal bit for bit. */

import { CheckpointError } from "../../base/errors.ts";
import { entry } from "../../base/item.ts";
import { type RgbImage, resize, resizeAndCrop, toTensor } from "../../image/index.ts";
import { openSafetensors, type TensorFile } from "../../weights/index.ts";
import { compareExactly, countDifferent, missing, type ParityLine } from "./parity-report.ts";

const METHODS: Readonly<Record<string, (source: RgbImage, size: number) => ArrayLike<number>>> = {
  bicubic: (source, size) => resize(source, size, size, "bicubic").data,
  bilinear: (source, size) => resize(source, size, size, "bilinear").data,
  center: (source, size) => resizeAndCrop(source, size, "bilinear").data,
  "pixel_values.bicubic": (source, size) => toTensor([resize(source, size, size, "bicubic")]),
};

/** File: `src.i` u8 [height,width,3], `<method>.i`, and the target size in the metadata. */
export async function checkPreprocessing(path: string): Promise<ParityLine[]> {
  const file = await openSafetensors(path);
  try {
    const size = Number(file.metadata.get("target_size"));
    if (!Number.isInteger(size) || size < 1)
      throw new CheckpointError(`${path}: expected the metadata target_size to be a number of pixels.`);
    const lines: ParityLine[] = [];
    for (const name of [...file.tensors.keys()].filter((key) => !key.startsWith("src.")).sort()) {
      const [, method = "", i = ""] = /^(.*)\.(\d+)$/.exec(name) ?? [];
      const run = METHODS[method];
      if (!run || !file.tensors.has(`src.${i}`)) {
        lines.push(missing(`preprocess.${name}`));
        continue;
      }
      const expected = await file.readFloat32(name);
      const different = countDifferent(run(await readPicture(file, `src.${i}`), size), expected);
      lines.push(compareExactly(`preprocess.${name}`, different, expected.length, "values"));
    }
    return lines;
  } finally {
    await file.close();
  }
}

async function readPicture(file: TensorFile, name: string): Promise<RgbImage> {
  const { dtype, shape } = entry(file.tensors, name);
  const [height = 0, width = 0, channels] = shape;
  if (dtype !== "U8" || shape.length !== 3 || channels !== 3)
    throw new CheckpointError(`${file.path}: expected ${name} to be U8 [height,width,3], got ${dtype} [${shape}].`);
  return { width, height, data: await file.readBytes(name) };
}
