/** One shard -> one output. */
import { InputError } from "../../base/errors.ts";
import type { ResizeFilter } from "../../image/index.ts";
import type { SeedTokenizer } from "../../image-tokenizer/seed-tokenizer.ts";
import { PendingFile } from "../../io/pending-file-node.ts";
import { type PreparedPicture, preparedBatches } from "../picture-inputs.ts";
import type { Report } from "../report.ts";
import type { OutputFormat, ShardOrigin, ShardRow } from "./output-format.ts";
import { expectUnchanged, stampOf } from "./shard-names.ts";
import { type ShardPicture, ShardPictures } from "./shard-pictures.ts";

export interface ConvertOptions {
  readonly tokenizer: Pick<SeedTokenizer, "prepare" | "encode" | "encodeAndEmbed">;
  readonly format: OutputFormat;
  readonly origin: ShardOrigin;
  /** The folder of outputs. */
  readonly out: string;
  readonly batch: number;
  readonly filter: ResizeFilter;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Pictures that are done, and bytes of the shard that have been read. */
  readonly onProgress: (pictures: number, bytesRead: number) => void;
  /** Asked before the output appears: false if another process has taken over. */
  readonly held: () => Promise<boolean>;
}

export interface Converted {
  readonly pictures: number;
  readonly partial: boolean;
}

/**
 * Writes the output `name` of a shard, whole or not at all. Of a shard that is damaged in the middle the pictures before
 * that are kept, in an output marked `.partial`, and the damage is reported.
 * @returns undefined if another process has taken over
 * @throws InputError if there is no picture in it, or it changed meanwhile; SetupError if it cannot be read or the output
 *   not be written
 */
export async function convertShard(
  path: string,
  name: string,
  options: ConvertOptions,
): Promise<Converted | undefined> {
  const { format, origin, out, batch, report, held, onProgress } = options;
  const before = await stampOf(path);
  const shard = new ShardPictures(path, report);
  const files: PendingFile[] = [];
  let done = 0;
  try {
    for (const _ of format.endings) files.push(await PendingFile.open(out, name));
    const writer = format.writer(files, origin);
    for await (const pictures of preparedBatches(shard, batch, options)) {
      await writer.add(await codesOf(pictures, options));
      done += pictures.length;
      onProgress(done, shard.bytesRead);
    }
    const { damage } = shard;
    if (!damage) await expectUnchanged(path, before);
    if (done === 0) throw damage ?? new InputError(`${path}: expected pictures in this shard, found none.`);
    await writer.end();
    if (!(await held())) return undefined;
    const whole = damage ? partialName(name) : name;
    for (const [i, file] of files.entries()) await file.publish(`${whole}${format.endings[i]}`);
    if (damage) report.problem(new InputError(`${damage.message} The ${done} pictures before that are in ${whole}.`));
    return { pictures: done, partial: damage !== undefined };
  } finally {
    for (const file of files) await file.discard();
  }
}

/** Of an output that holds the good part of a damaged shard. */
export const partialName = (name: string): string => `${name}.partial`;

async function codesOf(
  pictures: readonly PreparedPicture<ShardPicture>[],
  { tokenizer, origin, batch, signal }: ConvertOptions,
): Promise<ShardRow[]> {
  const images = pictures.map(({ image }) => image);
  const made: readonly { codes?: Int32Array; embedding?: Float32Array }[] = origin.embeddings
    ? await tokenizer.encodeAndEmbed(images, { batch, signal })
    : await tokenizer.encode(images, { batch, signal });
  return pictures.map(({ file: { nameInShard, caption, sample } }, i) => {
    const codes = Array.from(made[i]?.codes ?? []);
    return { name: nameInShard, codes, caption, embedding: made[i]?.embedding, sample };
  });
}
