/**
 * Finished work, in a file next to the card: one JSON line per result, keyed by a hash of everything that the result
 * depends on (weights, settings, picture, text). A run that was interrupted continues where it stopped, and nothing that
 * was computed with other inputs is ever reused.
 */
import { type FileHandle, open } from "node:fs/promises";
import { InputError } from "../../base/errors.ts";
import { quote } from "../../base/one-line.ts";
import { exists, placeError } from "../../io/files.ts";
import { fileLines } from "../../io/lines.ts";

const FORMAT = "seedling-work-1";
/** A picture's codes and embedding take a few kilobytes. */
const MAX_LINE = 1e6;

export class WorkLog {
  readonly path: string;
  /** Lines that could not be read, such as the last one of a run that was killed; their results are computed again. */
  readonly damaged: number;
  readonly #results: Map<string, unknown>;
  readonly #file: FileHandle;

  /** Opens the file, which is made if there is none. @throws InputError if it is another file; SetupError if it cannot be written */
  static async open(path: string): Promise<WorkLog> {
    const results = new Map<string, unknown>();
    let damaged = 0;
    const found = await exists(path);
    if (found)
      for await (const { line, number } of fileLines(path, MAX_LINE)) {
        const entry = parsed(line);
        if (number === 1) expectFormat(entry, path);
        else if (entry && typeof entry[0] === "string") results.set(entry[0], entry[1]);
        else damaged++;
      }
    const file = await open(path, "a").catch((error: unknown) => {
      throw placeError(error, path);
    });
    const log = new WorkLog(path, file, results, damaged);
    if (!found) await log.#write([["format", FORMAT]]);
    else if (damaged > 0) await file.writeFile("\n"); // the broken line may lack its end
    return log;
  }

  private constructor(path: string, file: FileHandle, results: Map<string, unknown>, damaged: number) {
    this.path = path;
    this.damaged = damaged;
    this.#file = file;
    this.#results = results;
  }

  get size(): number {
    return this.#results.size;
  }

  get(key: string): unknown {
    return this.#results.get(key);
  }

  /** Stores results; they are on disk when the promise resolves. */
  async add(results: readonly (readonly [key: string, value: unknown])[]): Promise<void> {
    for (const [key, value] of results) this.#results.set(key, value);
    await this.#write(results);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #write(entries: readonly (readonly [string, unknown])[]): Promise<void> {
    const lines = entries.map((entry) => `${ascii(JSON.stringify(entry))}\n`).join("");
    await this.#file.writeFile(lines).catch((error: unknown) => {
      throw placeError(error, this.path);
    });
  }
}

/** Escaped, as a model may write characters that no text file should hold. */
function ascii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function parsed(line: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) && value.length === 2 ? value : undefined;
  } catch {
    return undefined;
  }
}

function expectFormat(entry: readonly unknown[] | undefined, path: string): void {
  if (entry?.[0] === "format" && entry[1] === FORMAT) return;
  throw new InputError(`${path}: expected work of this command (${quote(FORMAT)}), got another file. Move it away.`);
}

/** f32 as text. */
export function packFloats(data: Float32Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
}

export function unpackFloats(text: string): Float32Array {
  const bytes = Buffer.from(text, "base64");
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
