/** Where results go: standard output, or a file that appears whole or not at all. */
import { fileError, writeAtomic } from "../io/files.ts";

export type Write = (chunk: string | Uint8Array) => Promise<void>;

/** Runs `produce` with a writer to `path`; without a path, or with "-", to standard output. */
export async function withOutput(path: string | undefined, produce: (write: Write) => Promise<void>): Promise<void> {
  if (path === undefined || path === "-") return produce(writeStdout);
  let failure: unknown;
  const written = writeAtomic(path, async (file) => {
    try {
      await produce(async (chunk) => {
        await file.writeFile(chunk).catch((error: unknown) => {
          throw fileError(error, path);
        });
      });
    } catch (error) {
      failure = error; // not the fault of this file
      throw error;
    }
  });
  await written.catch((error: unknown) => {
    throw failure ?? error;
  });
}

export function writeStdout(chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(chunk, (error) => (error ? reject(fileError(error, "standard output")) : resolve()));
  });
}

/** Files are what a command is run for, and the lines beside them only tell of them. */
let filesMatter = false;

/** A line about a file that was written. A reader that has seen enough does not keep the other files from being written. */
export function writeBeside(line: string): Promise<void> {
  filesMatter = true;
  return new Promise((resolve, reject) => {
    process.stdout.write(line, (error) =>
      error && (error as NodeJS.ErrnoException).code !== "EPIPE"
        ? reject(fileError(error, "standard output"))
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
