/** Runs the command line as a process. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { inject } from "vitest";

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
  /^(?!seedling:)[^:\n]+(: [\d.]+( \wB)?(\/[\d.]+)?( \wB)?( \w+( \(\d+ pictures\))?)?(, [\d.]+( \wB\/s|\/s| s each))?(, [\w ]+ left)?|, [\d smin]+)\n/gm;

export interface RunOptions {
  readonly cwd: string;
  readonly stdin?: Uint8Array | string;
}

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

export async function run(args: readonly string[], options: RunOptions): Promise<Finished> {
  const child = start(args, options);
  child.stdin.on("error", () => {}); // a command that fails early does not read it
  child.stdin.end(options.stdin ?? "");
  return finished(child);
}
