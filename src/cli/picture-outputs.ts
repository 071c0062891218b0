/** Painted pictures to files. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../base/errors.ts";
import { type Codes, formatCodes } from "../codes/index.ts";
import { encodePng, type RgbImage } from "../image/index.ts";
import { fileError, writeFileAtomic } from "../io/files.ts";
import { writeStdout } from "./output.ts";

/** The PNG file, with the codes it was painted from as a note inside. */
export function paintedPng(image: RgbImage, codes: Codes): Promise<Uint8Array> {
  return encodePng(image, { "seedling codes": formatCodes(codes) });
}

/** PNG files in a folder, which is made; equal stems get a number, so that no picture replaces another of this run. */
export class PictureFolder {
  readonly #folder: string;
  readonly #used = new Set<string>();
  #made: Promise<unknown> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The name of the file that was written. */
  async write(stem: string, png: Uint8Array): Promise<string> {
    this.#made ??= mkdir(this.#folder, { recursive: true }).catch((error: unknown) => {
      throw fileError(error, this.#folder);
    });
    await this.#made;
    const name = `${this.#unused(stem)}.png`;
    await writeFileAtomic(join(this.#folder, name), png);
    return name;
  }

  #unused(stem: string): string {
    let name = stem;
    for (let i = 2; this.#used.has(name); i++) name = `${stem}-${i}`;
    this.#used.add(name);
    return name;
  }
}

/**
 * Writes pictures to -o: a folder, a .png file, or - for standard output. What it gives back writes one picture of a stem
 * and says the path of its file, or undefined on standard output.
 * @throws UsageError for several pictures and one file
 */
export function pictureSaver(
  command: string,
  output: string,
  count: number,
): (stem: string, png: Uint8Array) => Promise<string | undefined> {
  if (output !== "-" && !/\.png$/i.test(output)) {
    const folder = new PictureFolder(output);
    return async (stem, png) => join(output, await folder.write(stem, png));
  }
  if (count > 1)
    throw new UsageError(`${command}: expected one picture for -o ${output}, got ${count}. Name a folder.`);
  return async (_, png) => {
    await (output === "-" ? writeStdout(png) : writeFileAtomic(output, png));
    return output === "-" ? undefined : output;
  };
}
