/** Where results go: standard output, or a file that appears whole or not at all. */
import { placeError, writeAtomic } from "../io/files.ts";
import { ReaderGone, readerGone } from "./interrupt.ts";
import { expectFilePlace } from "./places.ts";
import { statusLine } from "./status-line.ts";

export type Write = (chunk: string | Uint8Array) => Promise<void>;

/** Whether results of -o go to standard output: without a path, or with "-". */
export function toStdout(path: string | undefined): path is "-" | undefined {
  return path === undefined || path === "-";
}

/** Refuses an -o that cannot be written, before the work. @throws SetupError */
export async function expectOutput(path: string | undefined): Promise<void> {
  if (!toStdout(path)) await expectFilePlace(path);
}

/** Runs `produce` with a writer to `path`; without a path, or with "-", to standard output. @returns bytes written */
export async function withOutput(path: string | undefined, produce: (write: Write) => Promise<void>): Promise<number> {
  let bytes = 0;
  const counting =
    (write: Write): Write =>
    (chunk) => {
      bytes += Buffer.byteLength(chunk);
      return write(chunk);
    };
  if (toStdout(path)) {
    await produce(counting(writeStdout));
    return bytes;
  }
  let failure: unknown;
  const written = writeAtomic(path, async (file) => {
    try {
      await produce(
        counting(async (chunk) => {
          await file.writeFile(chunk).catch((error: unknown) => {
            throw placeError(error, path);
          });
        }),
      );
    } catch (error) {
      failure = error; // not the fault of this file
      throw error;
    }
  });
  await written.catch((error: unknown) => {
    throw failure ?? error;
  });
  return bytes;
}

/** @throws ReaderGone if the reader of a pipe has closed it */
export function writeStdout(chunk: string | Uint8Array): Promise<void> {
  if (process.stdout.isTTY) statusLine.clear();
  return new Promise((resolve, reject) => {
    process.stdout.write(chunk, (error) => {
      if (!error) resolve();
      else reject(isClosed(error) ? new ReaderGone() : placeError(error, "standard output"));
    });
  });
}

/** A result for programs: one object on a line of standard output. */
export function writeJson(value: unknown): Promise<void> {
  return writeStdout(`${JSON.stringify(value)}\n`);
}

/** Whether the command is run for the files it writes, and standard output only lists them. */
let filesMatter = false;

/** A line about a file that was written. The other files are written even if the reader closes the pipe. */
export function writeBeside(line: string): Promise<void> {
  filesMatter = true;
  if (process.stdout.isTTY) statusLine.clear();
  return new Promise((resolve, reject) => {
    process.stdout.write(line, (error) =>
      error && !isClosed(error) ? reject(placeError(error, "standard output")) : resolve(),
    );
  });
}

/** A reader that closes the pipe early ends the command in order, unless the command is run for its files. */
export function quietPipes(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error) => {
      if (isClosed(error) && !filesMatter) readerGone();
    });
}

const isClosed = (error: NodeJS.ErrnoException): boolean => error.code === "EPIPE";
