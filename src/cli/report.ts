/**
 * What a command says besides its results, on standard error: what is wrong with an input, and how far it is.
 * On a terminal one line that is drawn over; elsewhere plain lines, seconds apart.
 */
import { type ExitCode, SeedlingError } from "../base/errors.ts";

/** Ends a command whose problems have been printed. */
export class Reported extends Error {
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode) {
    super("reported");
    this.exitCode = exitCode;
  }
}

export interface ReportOptions {
  /** Problems only. */
  readonly quiet?: boolean | undefined;
  /** Default: standard error. */
  readonly stream?: Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;
  /** Milliseconds, for tests. */
  readonly now?: () => number;
}

/** Between two drawings of the bar, and between two plain lines, ms. */
const BAR_EVERY = 100;
const LINE_EVERY = 5000;

export class Report {
  readonly #quiet: boolean;
  readonly #stream: NonNullable<ReportOptions["stream"]>;
  readonly #now: () => number;
  readonly #codes: ExitCode[] = [];
  #work: { label: string; start: number; last: number } | undefined;
  #drawn = false;

  constructor({ quiet = false, stream = process.stderr, now = Date.now }: ReportOptions = {}) {
    this.#quiet = quiet;
    this.#stream = stream;
    this.#now = now;
  }

  /** One input cannot be used; the others go on. A bug is thrown on. */
  problem(error: unknown): void {
    if (!(error instanceof SeedlingError) || error.exitCode === 1) throw error;
    this.#codes.push(error.exitCode);
    this.#line(`seedling: ${error.message}`);
  }

  /** Something worth knowing. */
  note(text: string): void {
    if (!this.#quiet) this.#line(text);
  }

  /** `done` of `total` (if that is known) since the first call with this label. */
  progress(label: string, done: number, total?: number): void {
    if (this.#quiet) return;
    const now = this.#now();
    if (this.#work?.label !== label) {
      this.clear();
      this.#work = { label, start: now, last: now };
      return;
    }
    const bar = this.#stream.isTTY === true;
    if (now - this.#work.last < (bar ? BAR_EVERY : LINE_EVERY)) return;
    this.#work.last = now;
    const text = progressText(label, done, total, (now - this.#work.start) / 1000);
    if (bar) this.#stream.write(`\r${text.slice(0, (this.#stream.columns ?? 80) - 1)}\x1b[K`);
    else this.#stream.write(`${text}\n`);
    this.#drawn = bar;
  }

  /** Removes the bar. */
  clear(): void {
    if (this.#drawn) this.#stream.write("\r\x1b[K");
    this.#drawn = false;
  }

  /** Call at the end: sets the exit code if there were problems. @throws Reported if nothing succeeded, so that nothing is written. */
  finish(succeeded: number): void {
    this.clear();
    if (this.#codes.length === 0) return;
    const code = this.#codes.every((c) => c === this.#codes[0]) ? this.#codes[0]! : 3;
    if (succeeded === 0) throw new Reported(code);
    this.#line(`seedling: ${this.#codes.length} of ${this.#codes.length + succeeded} inputs were skipped.`);
    process.exitCode = code;
  }

  #line(text: string): void {
    this.clear();
    this.#stream.write(`${text}\n`);
  }
}

/** "painting 120/800  12.3/s  55 s left". */
export function progressText(label: string, done: number, total: number | undefined, seconds: number): string {
  const rate = done / Math.max(seconds, 1e-3);
  const left = total === undefined || done === 0 ? "" : `  ${duration((total - done) / rate)} left`;
  return `${label} ${Math.floor(done)}${total === undefined ? "" : `/${total}`}  ${rate.toPrecision(3)}/s${left}`;
}

/** "9 s", "2 min 5 s", "3 h 20 min". */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  const m = Math.floor(s / 60);
  return m < 60 ? `${m} min ${s % 60} s` : `${Math.floor(m / 60)} h ${m % 60} min`;
}
