/** Makes an index that LanceDB keeps, or brings one up to date, in place. */
import { sqlText } from "../filter.ts";
import type { IndexedPicture } from "../picture-index.ts";
import type { IndexAbout, IndexChanges, IndexWriter, NewEntry } from "../search-index.ts";
import {
  createTable,
  dropTable,
  type LanceFiles,
  lanceRows,
  openLance,
  readLanceHeader,
  understood,
  writeLanceHeader,
} from "./lance-files.ts";
import { eachRow, pictureOf } from "./lance-index.ts";
import type { LanceModule, LanceTable } from "./lancedb.ts";

/** Rows that are written together. Each such piece becomes a file. */
const PIECE = 8192;
/** Paths in one condition. */
const PATHS = 1000;
/** Below that many pictures all rows are compared. */
const APPROXIMATE_FROM = 100_000;
const COLUMN = "vector";
/** Bytes of a vector in the approximate index, at most. */
const SUB_VECTORS = 64;

type Stored = Omit<IndexedPicture, "path">;

export class LanceWriter implements IndexWriter {
  readonly before: (IndexAbout & { readonly size: number }) | undefined;
  readonly #folder: string;
  readonly #about: Omit<IndexAbout, "width">;
  readonly #files: LanceFiles;
  #table: LanceTable | undefined;
  /** Pictures that the index had and that have not been seen now. */
  readonly #unseen: Map<string, Stored>;
  #pending: NewEntry[] = [];
  #width: number;
  readonly #counts = { added: 0, replaced: 0, kept: 0 };
  /** Paths whose rows are of this run. */
  readonly #written = new Set<string>();

  /** @param fresh leaves out what is in the folder. @throws SetupError if LanceDB is not installed */
  static async open(folder: string, about: Omit<IndexAbout, "width">, fresh: boolean): Promise<LanceWriter> {
    const header = fresh ? undefined : await readLanceHeader(folder);
    const files = await openLance(folder);
    const { connection, table } = files;
    return understood(folder, async () => {
      if (header && table)
        return new LanceWriter(folder, about, files, { table, about: header, rows: await stored(table) });
      if (table) await dropTable(connection);
      return new LanceWriter(folder, about, { ...files, table: undefined });
    });
  }

  private constructor(
    folder: string,
    about: Omit<IndexAbout, "width">,
    files: LanceFiles,
    old?: { readonly table: LanceTable; readonly about: IndexAbout; readonly rows: Map<string, Stored> },
  ) {
    this.#folder = folder;
    this.#about = about;
    this.#files = files;
    this.#table = old?.table;
    this.#unseen = old?.rows ?? new Map();
    this.#width = old?.about.width ?? 1;
    this.before = old && { ...old.about, size: old.rows.size };
  }

  keep({ path, sizeBytes, changedMs }: IndexedPicture): boolean {
    const own = this.#unseen.get(path);
    if (own?.sizeBytes !== sizeBytes || own.changedMs !== changedMs) return false;
    this.#unseen.delete(path);
    this.#counts.kept++;
    return true;
  }

  async add(entries: readonly NewEntry[]): Promise<void> {
    for (const entry of entries) this.#pending.push(entry);
    if (this.#pending.length >= PIECE) await this.save();
  }

  save(): Promise<void> {
    const pending = new Map(this.#pending.map((entry) => [entry.picture.path, entry]));
    this.#pending = [];
    if (pending.size === 0) return Promise.resolve();
    return understood(this.#folder, async () => {
      const { lance, connection } = this.#files;
      const [added, replaced]: [NewEntry[], NewEntry[]] = [[], []];
      for (const [path, entry] of pending)
        (this.#unseen.has(path) || this.#written.has(path) ? replaced : added).push(entry);
      if (added.length > 0 && this.#table) await this.#table.add(lanceRows(lance, added));
      else if (added.length > 0) {
        this.#width = added[0]?.vector.length ?? 1;
        await writeLanceHeader(this.#folder, { ...this.#about, width: this.#width });
        this.#table = await createTable(connection, lanceRows(lance, added));
      }
      if (replaced.length > 0 && this.#table)
        await this.#table
          .mergeInsert("path")
          .whenMatchedUpdateAll()
          .whenNotMatchedInsertAll()
          .execute(lanceRows(lance, replaced));
      for (const path of pending.keys()) {
        if (this.#unseen.delete(path)) this.#counts.replaced++;
        else if (!this.#written.has(path)) this.#counts.added++;
        this.#written.add(path);
      }
    });
  }

  async finish(): Promise<IndexChanges> {
    await this.save();
    const gone = [...this.#unseen.keys()];
    const { added, replaced, kept } = this.#counts;
    return understood(this.#folder, async () => {
      for (let i = 0; i < gone.length; i += PATHS) {
        const paths = gone.slice(i, i + PATHS).map(sqlText);
        await this.#table?.delete(`path IN (${paths.join(", ")})`);
      }
      const [size, changed] = [kept + added + replaced, added + replaced + gone.length];
      if (this.#table && changed > 0) await this.#table.optimize({ cleanupOlderThan: new Date() });
      if (this.#table && size >= APPROXIMATE_FROM) await approximate(this.#table, this.#files.lance, size, this.#width);
      return { size, added, replaced, kept, removed: gone.length };
    });
  }

  async close(): Promise<void> {
    this.#table?.close();
    this.#files.connection.close();
  }
}

async function stored(table: LanceTable): Promise<Map<string, Stored>> {
  const rows = new Map<string, Stored>();
  for await (const row of eachRow(table.query().select(["path", "sizeBytes", "changedMs"]))) {
    const { path, ...rest } = pictureOf(row);
    rows.set(path, rest);
  }
  return rows;
}

/** Makes the approximate index, if there is none; `optimize` has brought one up to date. */
async function approximate(table: LanceTable, { Index }: LanceModule, rows: number, width: number): Promise<void> {
  if ((await table.listIndices()).some(({ columns }) => columns.includes(COLUMN))) return;
  const [numPartitions, numSubVectors] = [Math.round(Math.sqrt(rows)), subVectors(width)];
  await table.createIndex(COLUMN, { config: Index.ivfPq({ distanceType: "dot", numPartitions, numSubVectors }) });
}

/** Parts of equal length in which a vector is quantized: at most `SUB_VECTORS`, of four numbers or more. */
export function subVectors(width: number): number {
  let parts = Math.min(SUB_VECTORS, Math.max(1, Math.floor(width / 4)));
  while (width % parts !== 0) parts--;
  return parts;
}
