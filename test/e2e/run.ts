/** Runs the command line: in this process, which takes a tenth of the time, or as a process of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { Readable } from "node:stream";
import { inject, vi } from "vitest";
import { runProgram } from "../../src/cli/run-program.ts";

/** The built command line. */
export const MAIN = join(inject("build"), "dist/cli/main.js");

/** The environment of a script that imports `../built.mjs`. */
export function childEnv(): NodeJS.ProcessEnv {
  return { ...process.env, SEEDLING_TEST_BUILD: inject("build") };
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: Buffer;
  /** Without lines of progress, which depend on how busy the machine is. */
  readonly stderr: string;
}

/** "decoding: 2/8 pictures, 1.29/s, 5 s left", "opening seedling-mini, 2 s". */
const PROGRESS =
  /^(?!seedling:)[^:\n]+(: [\d.]+( \wB)?(\/[\d.]+)?( \wB)?( \w+( \(\d+ pictures\))?)?(, [\d smin]+)?(, [\d.]+( \wB\/s|\/s| s each))?(, [\w ]+ left)?|, [\d smin]+)\n/gm;

export interface RunOptions {
  readonly cwd: string;
  readonly stdin?: Uint8Array | string;
}

/** A process of the built command line, for what only a process has: signals, pipes that are closed, threads that outlive it. */
export function start(args: readonly string[], { cwd }: RunOptions): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [MAIN, ...args], { cwd });
}

/** The exit code of a process, and what it wrote. */
export async function finished(child: ChildProcessWithoutNullStreams): Promise<Finished> {
  const out: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout: Buffer.concat(out), stderr: stderr.replace(PROGRESS, "") };
}

/** The built command line as a process, to its end. */
export async function runProcess(args: readonly string[], options: RunOptions): Promise<Finished> {
  const child = start(args, options);
  child.stdin.on("error", () => {}); // a command that fails early does not read it
  child.stdin.end(options.stdin ?? "");
  return finished(child);
}

/** The command line in this process. One at a time, as the process has one current folder. */
export async function run(args: readonly string[], { cwd, stdin = "" }: RunOptions): Promise<Finished> {
  const before = {
    cwd: process.cwd(),
    exitCode: process.exitCode,
    stdin: Object.getOwnPropertyDescriptor(process, "stdin")!,
  };
  const [out, err] = [capture(process.stdout), capture(process.stderr)];
  try {
    process.chdir(cwd);
    process.exitCode = undefined;
    const value = Readable.from(stdin.length > 0 ? [Buffer.from(stdin)] : [], { objectMode: false });
    Object.defineProperty(process, "stdin", { value, configurable: true });
    await runProgram(args);
    const code = Number(process.exitCode ?? 0);
    return { code, stdout: out.bytes(), stderr: err.bytes().toString().replace(PROGRESS, "") };
  } finally {
    out.end();
    err.end();
    Object.defineProperty(process, "stdin", before.stdin);
    process.exitCode = before.exitCode;
    process.chdir(before.cwd);
  }
}

/** Keeps what is written to a stream instead of writing it. */
function capture(stream: NodeJS.WriteStream): { bytes(): Buffer; end(): void } {
  const chunks: Buffer[] = [];
  const write = vi.spyOn(stream, "write").mockImplementation(((chunk: string | Uint8Array, ...rest: unknown[]) => {
    chunks.push(Buffer.from(chunk as Uint8Array));
    const done = rest.at(-1);
    if (typeof done === "function") process.nextTick(done);
    return true;
  }) as typeof stream.write);
  return { bytes: () => Buffer.concat(chunks), end: () => write.mockRestore() };
}
