/** Painted pictures to files. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Codes, formatCodes } from "../codes/index.ts";
import { fileError, writeFileAtomic } from "../files.ts";
import { encodePng, type RgbImage } from "../image/index.ts";

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
