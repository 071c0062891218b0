/**
 * What a command prints on standard error: problems with inputs, progress, and the files that it wrote. Results go to
 * standard output (output.ts).
 */
import { type ExitCode, SeedlingError } from "../base/errors.ts";
import { withFlags } from "./flags.ts";
import { Progress } from "./progress.ts";
import { formatBytes } from "./sizes.ts";
import { type Environment, type Screen, StatusLine, statusLine } from "./status-line.ts";

/** Ends a command whose problems have been printed. */
export class Reported extends Error {
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode) {
    super("reported");
    this.exitCode = exitCode;
  }
}

export interface ReportOptions {
  /** --quiet: problems only. */
  readonly quiet?: boolean;
  /** --json: the files that were written are named on standard output, not here. */
  readonly json?: boolean;
  /** Default: standard error. */
  readonly screen?: Screen;
  readonly env?: Environment;
  /** Milliseconds, for tests. */
  readonly now?: () => number;
}

export class Report {
  readonly #quiet: boolean;
  readonly #json: boolean;
  readonly #line: StatusLine;
  readonly #progress: Progress;
  readonly #codes: ExitCode[] = [];

  constructor({ quiet = false, json = false, screen, env, now }: ReportOptions = {}) {
    this.#quiet = quiet;
    this.#json = json;
    this.#line = screen ? new StatusLine(screen, env) : statusLine;
    this.#progress = new Progress(this.#line, now);
  }

  /** Whether more than results is wanted: neither --quiet nor --json. */
  get talks(): boolean {
    return !this.#quiet && !this.#json;
  }

  /** One input cannot be used; the command continues with the others. A bug is thrown on. */
  problem(error: unknown): void {
    if (!(error instanceof SeedlingError) || error.exitCode === 1) throw error;
    this.#codes.push(error.exitCode);
    this.#line.print(problemLine(error.message, this.#line));
  }

  /** Something that may be wrong and does not change the exit code. */
  warn(text: string): void {
    if (!this.#quiet) this.#line.print(problemLine(text, this.#line));
  }

  /** Something worth knowing. */
  note(text: string): void {
    if (!this.#quiet) this.#line.print(text);
  }

  /** What is prepared now and cannot be counted: "opening models/mine". Shown while it lasts. */
  doing(what: string): void {
    if (!this.#quiet) this.#progress.show(what);
  }

  /** `done` of `total` (if that is known) since the first call with this label. A unit of "bytes" is shown as kB, MB, GB. */
  progress(label: string, done: number, total?: number, unit?: string): void {
    if (!this.#quiet) this.#progress.show(label, { done, total, unit });
  }

  /** The result line of a command that wrote files: "wrote 6 pictures to out (12.0 kB)", "wrote sheet.png (3.10 kB)". */
  wrote(path: string, bytes?: number, what?: string): void {
    this.clear();
    const size = bytes === undefined ? "" : ` (${formatBytes(bytes)})`;
    if (!this.#json) this.note(`wrote ${what === undefined ? path : `${what} to ${path}`}${size}`);
  }

  /** Removes the bar. */
  clear(): void {
    this.#progress.stop();
  }

  /** Call at the end: sets the exit code if there were problems. @throws Reported if nothing succeeded, so that nothing is written. */
  finish(succeeded: number): void {
    this.clear();
    const [first] = this.#codes;
    if (first === undefined) return;
    const code = this.#codes.every((c) => c === first) ? first : 3;
    if (succeeded === 0) throw new Reported(code);
    const inputs = this.#codes.length + succeeded;
    this.#line.print(problemLine(`${this.#codes.length} of ${inputs} inputs were skipped.`, this.#line));
    process.exitCode = code;
  }
}

/** "seedling: a.png: damaged." with the name in red where there are colors, and flags in place of option names. */
export function problemLine(message: string, { colors }: Pick<StatusLine, "colors">): string {
  return `${colors ? "\x1b[31mseedling:\x1b[0m" : "seedling:"} ${withFlags(message)}`;
}

/** "1 picture", "6 pictures". */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
