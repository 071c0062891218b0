/**
 * The part of LanceDB that an index needs. The package (some 200 MB) is optional and not among our dependencies, so its
 * types are written down here.
 */
import { SetupError } from "../../base/errors.ts";
import { reason } from "../../base/one-line.ts";

export const LANCE_PACKAGE = "@lancedb/lancedb";

export type LanceRow = Readonly<Record<string, unknown>>;

export interface LanceQuery {
  where(condition: string): this;
  select(columns: readonly string[]): this;
  withRowId(): this;
  limit(count: number): this;
  toArray(): Promise<LanceRow[]>;
  /** Batches of Arrow, each with a proxy of its rows. */
  [Symbol.asyncIterator](): AsyncIterator<Iterable<LanceRow>>;
}

export interface LanceVectorQuery extends LanceQuery {
  distanceType(type: "dot"): this;
  nprobes(count: number): this;
  refineFactor(factor: number): this;
  bypassVectorIndex(): this;
}

export interface LanceTable {
  countRows(): Promise<number>;
  add(rows: unknown): Promise<unknown>;
  delete(condition: string): Promise<unknown>;
  query(): LanceQuery;
  takeRowIds(ids: readonly number[]): LanceQuery;
  vectorSearch(vector: Float32Array): LanceVectorQuery;
  createIndex(column: string, options: { readonly config: unknown; readonly replace?: boolean }): Promise<void>;
  listIndices(): Promise<readonly { readonly name: string; readonly columns: readonly string[] }[]>;
  indexStats(name: string): Promise<{ readonly numIndexedRows: number } | undefined>;
  optimize(options: { readonly cleanupOlderThan: Date }): Promise<unknown>;
  mergeInsert(on: string): {
    whenMatchedUpdateAll(): ReturnType<LanceTable["mergeInsert"]>;
    whenNotMatchedInsertAll(): ReturnType<LanceTable["mergeInsert"]>;
    execute(rows: unknown): Promise<unknown>;
  };
  close(): void;
}

export interface LanceConnection {
  tableNames(): Promise<readonly string[]>;
  openTable(name: string): Promise<LanceTable>;
  createTable(name: string, rows: unknown): Promise<LanceTable>;
  dropTable(name: string): Promise<void>;
  close(): void;
}

export interface LanceModule {
  connect(folder: string): Promise<LanceConnection>;
  /** A table of Arrow; lists of numbers in the columns named become vectors of float32. */
  makeArrowTable(rows: readonly LanceRow[], options: { readonly vectorColumns: Record<string, unknown> }): unknown;
  readonly VectorColumnOptions: new () => unknown;
  readonly Index: {
    ivfPq(options: { distanceType: "dot"; numPartitions: number; numSubVectors: number }): unknown;
  };
}

/** @throws SetupError if the package is not installed */
export async function importLance(name: string = LANCE_PACKAGE): Promise<LanceModule> {
  process.env["LANCE_LOG"] ??= "error"; // its warnings would be mixed with ours
  try {
    return (await import(name)) as LanceModule;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    throw new SetupError(
      `LanceDB: expected the package ${name}, ${missing ? "found none" : `could not load it (${reason(error)})`}. Install it: npm install ${name}; or use an index whose name does not end in .lance, which needs nothing.`,
    );
  }
}
