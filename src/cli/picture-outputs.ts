/** Decoded pictures to files. */
import { join } from "node:path";
import { UsageError } from "../base/errors.ts";
import { type Codes, formatCodes } from "../codes/index.ts";
import { encodePng, type RgbImage } from "../image/index.ts";
import { makeFolder, writeFileAtomic } from "../io/files.ts";
import { expectOutput, writeStdout } from "./output.ts";
import { expectFolderPlace } from "./places.ts";
import { plural, type Report } from "./report.ts";

/** The PNG file, with the codes it was decoded from as a note inside. */
export function decodedPng(image: RgbImage, codes: Codes): Promise<Uint8Array> {
  return encodePng(image, { "seedling codes": formatCodes(codes) });
}

/** Writes pictures to -o, and sums up what was written. */
export class PictureSaver {
  readonly #output: string;
  readonly #isFolder: boolean;
  readonly #used = new Set<string>();
  #bytes = 0;

  /** `output`: a folder, which is made; a .png file; or - for standard output. */
  constructor(output: string) {
    this.#output = output;
    this.#isFolder = output !== "-" && !/\.png$/i.test(output);
  }

  /** To be called before the work. @throws UsageError for several pictures and one file; SetupError if it cannot be written */
  async expect(count: number): Promise<void> {
    const output = this.#output;
    if (this.#isFolder) return expectFolderPlace(output);
    if (count > 1)
      throw new UsageError(`-o ${output}: expected one picture for one file, got ${count}. Name a folder.`);
    await expectOutput(output);
  }

  /**
   * Writes one picture; equal stems get a number, so that no picture replaces another of this run.
   * @returns the path of its file, or undefined on standard output
   */
  async save(stem: string, png: Uint8Array): Promise<string | undefined> {
    const name = this.#unused(stem);
    this.#bytes += png.length;
    if (this.#output === "-") {
      await writeStdout(png);
      return undefined;
    }
    if (this.#isFolder) await makeFolder(this.#output);
    const path = this.#isFolder ? join(this.#output, `${name}.png`) : this.#output;
    await writeFileAtomic(path, png);
    return path;
  }

  /** The result line. */
  reportTo(report: Report): void {
    const count = this.#used.size;
    if (this.#output !== "-" && count > 0)
      report.wrote(this.#output, this.#bytes, this.#isFolder ? plural(count, "picture") : undefined);
  }

  #unused(stem: string): string {
    let name = stem;
    for (let i = 2; this.#used.has(name); i++) name = `${stem}-${i}`;
    this.#used.add(name);
    return name;
  }
}
