/** An index that LanceDB keeps on disk and searches there. */
import picomatch from "picomatch";
import { InputError } from "../../base/errors.ts";
import { type Codes, unpackCodes } from "../../codes/index.ts";
import { conditionOf } from "../filter.ts";
import { type IndexedPicture, makeIndex, type PictureIndex, toInt8 } from "../picture-index.ts";
import { type Filter, type FoundPicture, type IndexAbout, roundedScore, type SearchIndex } from "../search-index.ts";
import { type LanceFiles, openLance, readLanceHeader, understood } from "./lance-files.ts";
import type { LanceQuery, LanceRow, LanceTable } from "./lancedb.ts";

/** Partitions that are searched, and how many more candidates than wanted are compared by their exact vectors. */
const [PROBES, REFINE] = [40, 10];
const PICTURE = ["path", "sizeBytes", "changedMs"];
const NEVER = 1e15;

export class LanceIndex implements SearchIndex {
  readonly codebook: string;
  readonly model: string;
  readonly width: number;
  readonly size: number;
  readonly #folder: string;
  readonly #files: LanceFiles;
  readonly #table: LanceTable;

  /** @throws SetupError if LanceDB is not installed; InputError if the folder is not such an index, or is damaged */
  static async open(folder: string): Promise<LanceIndex> {
    const about = await readLanceHeader(folder);
    const files = about && (await openLance(folder));
    const table = files?.table;
    if (!about || !files || !table)
      throw new InputError(`${folder}: expected an index of pictures, found none. Make one with seedling index.`);
    return new LanceIndex(folder, about, files, table, await understood(folder, () => table.countRows()));
  }

  private constructor(folder: string, about: IndexAbout, files: LanceFiles, table: LanceTable, size: number) {
    this.#folder = folder;
    this.#files = files;
    this.#table = table;
    this.codebook = about.codebook;
    this.model = about.model;
    this.width = about.width;
    this.size = size;
  }

  nearest(query: Float32Array, count: number, filter: Filter = {}): Promise<FoundPicture[]> {
    return understood(this.#folder, async () => {
      const accepted = filter.path === undefined ? () => true : picomatch(filter.path, { dot: true });
      // Few pictures may be accepted, and a search of some partitions misses most of those: then all rows are compared. The
      // condition lets some pass that the glob does not: then more are asked for.
      let [most, exact] = [count, false];
      for (;;) {
        const rows = await this.#ask(query, most, conditionOf(filter), exact);
        const found = rows.filter(({ path }) => accepted(String(path)));
        const all = exact && rows.length < most;
        if (found.length >= count || all) return found.slice(0, count).map(foundPicture);
        if (exact) most *= 4;
        exact = true;
      }
    });
  }

  #ask(query: Float32Array, count: number, condition: string | undefined, exact: boolean): Promise<LanceRow[]> {
    const search = this.#table.vectorSearch(query).distanceType("dot").limit(count).withRowId();
    const some = exact ? search.bypassVectorIndex() : search.nprobes(PROBES).refineFactor(REFINE);
    const columns = some.select([...PICTURE, "codes", "_distance"]);
    return (condition === undefined ? columns : columns.where(condition)).toArray();
  }

  pathOf(id: number): Promise<string | undefined> {
    return understood(this.#folder, async () => {
      const [row] = await this.#table.takeRowIds([id]).select(["path"]).toArray();
      return row && String(row["path"]);
    });
  }

  load(): Promise<PictureIndex> {
    return understood(this.#folder, async () => {
      const entries: Parameters<typeof makeIndex>[1][number][] = [];
      for await (const row of eachRow(this.#table.query().select([...PICTURE, "codes", "vector"]))) {
        const vector = Float32Array.from(row["vector"] as Iterable<number>);
        entries.push({ picture: pictureOf(row), codes: rowCodes(row), ...toInt8(vector) });
      }
      return makeIndex({ codebook: this.codebook, model: this.model, width: this.width }, entries);
    });
  }

  async close(): Promise<void> {
    this.#table.close();
    this.#files.connection.close();
  }
}

/** Rows of a query, a batch at a time. */
export async function* eachRow(query: LanceQuery): AsyncGenerator<LanceRow> {
  for await (const batch of query.limit(NEVER)) yield* batch;
}

export function pictureOf(row: LanceRow): IndexedPicture {
  return { path: String(row["path"]), sizeBytes: Number(row["sizeBytes"]), changedMs: Number(row["changedMs"]) };
}

function rowCodes(row: LanceRow): Codes {
  const [codes = []] = unpackCodes(row["codes"] as Uint8Array, "codes");
  return codes;
}

function foundPicture(row: LanceRow): FoundPicture {
  const score = roundedScore(1 - Number(row["_distance"]));
  return { ...pictureOf(row), id: Number(row["_rowid"]), score, codes: rowCodes(row) };
}
