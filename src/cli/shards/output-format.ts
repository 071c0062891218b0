/** The formats in which `tokenize --shards` writes the codes of a shard. */
import type { TarSampleFiles } from "../../data/webdataset.ts";
import type { PendingFile } from "../../io/pending-file-node.ts";
import { jsonLines } from "./json-lines.ts";
import { packed } from "./packed.ts";
import { parquet } from "./parquet.ts";
import { webDataset } from "./web-dataset.ts";

/** What is written of a picture. */
export interface ShardRow {
  /** Within the shard: "000001.png". */
  readonly name: string;
  /** Codes of the picture, in causal order. */
  readonly codes: readonly number[];
  readonly caption?: string;
  /** f32 [F], a unit vector; with --embeddings. */
  readonly embedding?: Float32Array;
  /** All files of the sample that the picture is of. */
  readonly sample: TarSampleFiles;
}

export interface ShardWriter {
  add(rows: readonly ShardRow[]): Promise<void>;
  /** Writes what comes after the last row. */
  end(): Promise<void>;
}

/** What an output says about itself, where its format has room for that. */
export interface ShardOrigin {
  readonly model: string;
  /** SHA-256 of the shard, hexadecimal. */
  readonly input: string;
  readonly embeddings: boolean;
}

export interface OutputFormat {
  /** Of the files of an output. The last one is published last, so that it is there only if the output is whole. */
  readonly endings: readonly [string, ...string[]];
  /** `files` belong to `endings`, in their order. */
  writer(files: readonly PendingFile[], origin: ShardOrigin): ShardWriter;
}

export const OUTPUT_FORMATS = { packed, jsonl: jsonLines, parquet, webdataset: webDataset } satisfies Record<
  string,
  OutputFormat
>;

export type OutputFormatName = keyof typeof OUTPUT_FORMATS;
