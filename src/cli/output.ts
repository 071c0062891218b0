/** Where results go: standard output, or a file that appears whole or not at all. */
import { placeError, writeAtomic } from "../io/files.ts";
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

export function writeStdout(chunk: string | Uint8Array): Promise<void> {
  if (process.stdout.isTTY) statusLine.clear();
  return new Promise((resolve, reject) => {
    process.stdout.write(chunk, (error) => (error ? reject(placeError(error, "standard output")) : resolve()));
  });
}

/** A result for programs: one object on a line of standard output. */
export function writeJson(value: unknown): Promise<void> {
  return writeStdout(`${JSON.stringify(value)}\n`);
}

/** Whether files are what the command is run for, and standard output only tells of them. */
let filesMatter = false;

/** A line about a file that was written. A reader that has seen enough does not keep the other files from being written. */
export function writeBeside(line: string): Promise<void> {
  filesMatter = true;
  if (process.stdout.isTTY) statusLine.clear();
  return new Promise((resolve, reject) => {
    process.stdout.write(line, (error) =>
      error && (error as NodeJS.ErrnoException).code !== "EPIPE"
        ? reject(placeError(error, "standard output"))
        : resolve(),
    );
  });
}

/** A reader that closes the pipe early, such as `head`, has seen enough: that is no error. */
export function quietPipes(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE" && !filesMatter) process.exit(0);
    });
}
