/** An index in a folder of LanceDB: the table `pictures`, and `index.json` next to it. */
import { z } from "zod";
import { InputError, SeedlingError, SetupError } from "../../base/errors.ts";
import { reason } from "../../base/one-line.ts";
import { packCodes } from "../../codes/index.ts";
import { exists, writeFileAtomic } from "../../io/files.ts";
import { parseWith, readJsonFile } from "../../io/json-file.ts";
import { join } from "../../io/paths.ts";
import { MAX_WIDTH } from "../picture-index.ts";
import type { IndexAbout, NewEntry } from "../search-index.ts";
import { importLance, type LanceConnection, type LanceModule, type LanceTable } from "./lancedb.ts";

const FORMAT = "seedling-lance-1";
const HEADER = "index.json";
const TABLE = "pictures";

const parseHeader = parseWith(
  z.strictObject({
    format: z.literal(FORMAT),
    codebook: z.string().max(64),
    model: z.string().max(500),
    width: z.int().min(1).max(MAX_WIDTH),
  }),
);

/** Indexes with names of this ending are kept by LanceDB. */
export const isLanceName = (path: string): boolean => /\.lance\/*$/.test(path);

/** What is in the folder of such an index. */
export const LANCE_NAMES: readonly string[] = [HEADER, `${TABLE}.lance`];

/** Whether LanceDB keeps the index in a folder. */
export async function isLanceIndex(folder: string): Promise<boolean> {
  const path = join(folder, HEADER);
  if (!(await exists(path))) return exists(join(folder, `${TABLE}.lance`));
  const json = await readJsonFile(path);
  return typeof json === "object" && json !== null && "format" in json && json.format === FORMAT;
}

export async function readLanceHeader(folder: string): Promise<IndexAbout | undefined> {
  const path = join(folder, HEADER);
  if (!(await exists(path))) return undefined;
  const { codebook, model, width } = parseHeader(await readJsonFile(path), path);
  return { codebook, model, width };
}

export function writeLanceHeader(folder: string, { codebook, model, width }: IndexAbout): Promise<void> {
  const header = { format: FORMAT, codebook, model, width };
  return writeFileAtomic(join(folder, HEADER), `${JSON.stringify(header, null, 2)}\n`);
}

/** A folder of LanceDB that is open. */
export interface LanceFiles {
  readonly lance: LanceModule;
  readonly connection: LanceConnection;
  /** Undefined until it is made with its first rows. */
  readonly table: LanceTable | undefined;
}

/** @throws SetupError if LanceDB is not installed; InputError if it cannot read the folder */
export async function openLance(folder: string): Promise<LanceFiles> {
  const lance = await importLance();
  return understood(folder, async () => {
    const connection = await lance.connect(folder);
    const there = (await connection.tableNames()).includes(TABLE);
    return { lance, connection, table: there ? await connection.openTable(TABLE) : undefined };
  });
}

/** Rows as LanceDB takes them. */
export function lanceRows(lance: LanceModule, entries: readonly NewEntry[]): unknown {
  const rows = entries.map(({ picture, codes, vector }) => ({
    ...picture,
    codes: Buffer.from(packCodes([codes])),
    vector: Array.from(vector),
  }));
  return lance.makeArrowTable(rows, { vectorColumns: { vector: new lance.VectorColumnOptions() } });
}

export const createTable = (connection: LanceConnection, rows: unknown): Promise<LanceTable> =>
  connection.createTable(TABLE, rows);

export const dropTable = (connection: LanceConnection): Promise<void> => connection.dropTable(TABLE);

/** Errors of LanceDB, which are about files, as one line. */
export async function understood<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SeedlingError) throw error;
    const text = reason(error).replace(/, \S+\.rs:\d+:\d+.*$/, ""); // where in its source
    if (/no space|storage full|os error 28/i.test(text))
      throw new SetupError(`${folder}: the disk is full. Free some space and run again.`, { cause: error });
    throw new InputError(
      `${folder}: LanceDB failed (${text}). If the index is damaged, make it again with --rebuild.`,
      {
        cause: error,
      },
    );
  }
}
