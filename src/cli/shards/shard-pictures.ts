/** The pictures of a shard with what belongs to them. */
import { decodeText } from "../../base/decode-text.ts";
import { InputError } from "../../base/errors.ts";
import { captionsBeside } from "../../data/caption-files.ts";
import { CAPTION_ENDINGS, firstOf, MAX_CAPTION_BYTES } from "../../data/sources.ts";
import { type TarSampleFiles, tarSampleFiles } from "../../data/webdataset.ts";
import { MAX_PICTURE_BYTES, PICTURE_NAME } from "../../image/index.ts";
import { openByteSource } from "../../io/files.ts";
import { fileChunks } from "../../io/lines.ts";
import type { PictureFile } from "../picture-inputs.ts";
import type { Report } from "../report.ts";

export interface ShardPicture extends PictureFile {
  /** Within the shard: "000001.png". */
  readonly nameInShard: string;
  readonly caption?: string;
  readonly sample: TarSampleFiles;
}

/** One pass over a shard. */
export class ShardPictures implements AsyncIterable<ShardPicture> {
  readonly #path: string;
  readonly #report: Report;
  /** Bytes of the shard that have been read. */
  bytesRead = 0;
  /** Why the pass ended early. The pictures before that are good. */
  damage: InputError | undefined;

  constructor(path: string, report: Report) {
    this.#path = path;
    this.#report = report;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ShardPicture> {
    const unused: string[] = [];
    const leftOut = (line: string): void => this.#report.problem(new InputError(line));
    // The last sample before a cut may lack files, so each waits for the next one.
    let last: ShardPicture | undefined;
    try {
      const whole = await hasEnd(this.#path);
      for await (const sample of tarSampleFiles(this.#chunks(), this.#path, leftOut)) {
        if (last) yield last;
        const [picture, ...others] = picturesOf(sample);
        unused.push(...others.map((ending) => `${sample.key}.${ending}`));
        last = picture === undefined ? undefined : this.#picture(sample, picture);
      }
      if (!whole) {
        last = undefined;
        this.damage = new InputError(`${this.#path}: the tar is cut off: it has no end. Copy it again.`);
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.damage = error;
    }
    if (last) yield last;
    if (unused.length > 0)
      this.#report.warn(`${this.#path}: several pictures in a sample; left out ${firstOf(unused)}.`);
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of fileChunks(this.#path)) {
      yield chunk;
      this.bytesRead += chunk.length;
    }
  }

  #picture(sample: TarSampleFiles, ending: string): ShardPicture {
    const nameInShard = `${sample.key}.${ending}`;
    const name = `${this.#path}/${nameInShard}`;
    const bytes = sample.files[ending] ?? new Uint8Array(0);
    const read = async (): Promise<Uint8Array> => {
      if (bytes.length <= MAX_PICTURE_BYTES) return bytes;
      throw new InputError(`${name}: expected at most ${MAX_PICTURE_BYTES} bytes, got ${bytes.length}.`);
    };
    return { name, nameInShard, caption: this.#caption(sample), sample, read };
  }

  /** The first caption of the best file that has one. */
  #caption({ key, files }: TarSampleFiles): string | undefined {
    for (const ending of CAPTION_ENDINGS) {
      const bytes = files[ending];
      if (!bytes || bytes.length > MAX_CAPTION_BYTES) continue;
      const where = `${this.#path}/${key}.${ending}`;
      try {
        const [caption] = captionsBeside(decodeText(bytes, where), ending, where);
        if (caption !== undefined) return caption;
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        this.#report.warn(error.message);
      }
    }
    return undefined;
  }
}

const BLOCK = 512;

/** Whether a tar ends in a block of zeros. One that is cut off between two files is not damaged otherwise. */
async function hasEnd(path: string): Promise<boolean> {
  const source = await openByteSource(path);
  try {
    return source.size >= BLOCK && (await source.read(source.size - BLOCK, BLOCK)).every((byte) => byte === 0);
  } finally {
    await source.close();
  }
}

/** Endings of pictures, those without a second dot (`png`, never `mask.png`) first. */
function picturesOf({ key, files }: TarSampleFiles): string[] {
  const endings = Object.keys(files).filter((ending) => PICTURE_NAME.test(`${key}.${ending}`));
  return [...endings.filter((ending) => !ending.includes(".")), ...endings.filter((ending) => ending.includes("."))];
}
