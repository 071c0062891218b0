/** Apache Parquet: name, codes as a list, caption, and the embedding as a list if it is asked for. */
import type { SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { PendingFile } from "../../io/pending-file-node.ts";
import type { OutputFormat, ShardOrigin, ShardRow, ShardWriter } from "./output-format.ts";

/** Rows of a row group. */
const GROUP = 4096;

const text = (name: string, repetition_type: "REQUIRED" | "OPTIONAL"): SchemaElement => ({
  name,
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  repetition_type,
});

/** A list as the specification has it: three levels, none of them null. */
const list = (name: string, type: "INT32" | "FLOAT"): SchemaElement[] => [
  { name, repetition_type: "REQUIRED", num_children: 1, converted_type: "LIST" },
  { name: "list", repetition_type: "REPEATED", num_children: 1 },
  { name: "element", type, repetition_type: "REQUIRED" },
];

function schemaOf(embeddings: boolean): SchemaElement[] {
  const columns = [text("name", "REQUIRED"), ...list("codes", "INT32"), text("caption", "OPTIONAL")];
  if (embeddings) columns.push(...list("embedding", "FLOAT"));
  return [{ name: "schema", num_children: embeddings ? 4 : 3 }, ...columns];
}

class ParquetRows implements ShardWriter {
  readonly #file: PendingFile;
  readonly #bytes = new ByteWriter();
  readonly #parquet: ParquetWriter;
  readonly #embeddings: boolean;
  #rows: ShardRow[] = [];

  constructor(file: PendingFile, { embeddings, model, input }: ShardOrigin) {
    this.#file = file;
    this.#embeddings = embeddings;
    this.#parquet = new ParquetWriter({
      writer: this.#bytes,
      schema: schemaOf(embeddings),
      createdBy: "seedling",
      kvMetadata: [
        { key: "seedling.model", value: model },
        { key: "seedling.input", value: input },
      ],
    });
  }

  async add(rows: readonly ShardRow[]): Promise<void> {
    // Without `sample`: the files of a picture are not needed any more, and may be large.
    this.#rows.push(...rows.map((row) => ({ ...row, sample: { key: row.sample.key, files: {} } })));
    if (this.#rows.length >= GROUP) await this.#group();
  }

  async end(): Promise<void> {
    if (this.#rows.length > 0) await this.#group();
    await this.#parquet.finish();
    await this.#file.write(this.#bytes.getBytes());
  }

  async #group(): Promise<void> {
    const columnData = [
      { name: "name", data: this.#rows.map(({ name }) => name) },
      { name: "codes", data: this.#rows.map(({ codes }) => codes) },
      { name: "caption", data: this.#rows.map(({ caption }) => caption) },
    ];
    const vectors = this.#rows.map(({ embedding }) => Array.from(embedding ?? []));
    if (this.#embeddings) columnData.push({ name: "embedding", data: vectors });
    await this.#parquet.write({ columnData, rowGroupSize: GROUP });
    this.#rows = [];
  }
}

export const parquet: OutputFormat = {
  endings: [".parquet"],
  writer: ([file], origin) => new ParquetRows(file as PendingFile, origin),
};
