/**
 * How far a long command is: what it does, how much is done, the rate and the time left. On a terminal one line with a
 * bar; elsewhere plain lines, the first within two seconds, then ever more seldom.
 */
import { formatBytes } from "./sizes.ts";
import { type StatusLine, statusLine } from "./status-line.ts";

/** Between two drawings of the bar, and between two ticks while nothing is heard of the work, ms. */
const DRAW_EVERY = 100;
const TICK_EVERY = 500;
/** The first plain line, and the least and most between two of them, ms. */
const FIRST_LINE = 1500;
const [LINE_EVERY, LINE_AT_LEAST] = [5000, 60_000];
/** Columns of the bar. */
const [BAR, SHORTEST_BAR] = [24, 8];

export interface Amount {
  readonly done: number;
  /** If it is known. */
  readonly total?: number;
  /** "pictures", "steps"; "bytes" are shown as kB, MB and GB. Default: none. */
  readonly unit?: string;
}

interface Work {
  readonly label: string;
  readonly start: number;
  /** What was done when the work began here, such as the steps of a resumed run. */
  readonly doneBefore: number;
  amount: Amount | undefined;
  last: number | undefined;
}

export class Progress {
  readonly #line: StatusLine;
  readonly #now: () => number;
  #work: Work | undefined;
  /** The last plain line. */
  #printed = "";
  #stopTicks: (() => void) | undefined;

  constructor(line: StatusLine = statusLine, now: () => number = Date.now) {
    this.#line = line;
    this.#now = now;
  }

  /** What is done now, and how much of it if that can be counted. Another label begins another piece of work. */
  show(label: string, amount?: Amount): void {
    if (this.#work?.label !== label) {
      this.stop();
      const doneBefore = amount?.done ?? 0;
      this.#work = { label, start: this.#now(), doneBefore, amount, last: undefined };
    }
    this.#work.amount = amount;
    this.#stopTicks ??= this.#line.every(TICK_EVERY, () => this.#print(TICK_EVERY));
    this.#print(DRAW_EVERY);
  }

  /** Removes the bar until the next `show`. */
  stop(): void {
    this.#stopTicks?.();
    this.#stopTicks = undefined;
    this.#line.clear();
  }

  #print(drawEvery: number): void {
    const work = this.#work;
    if (!work) return;
    const now = this.#now();
    const elapsed = now - work.start;
    if (this.#line.live) {
      if (work.last !== undefined && now - work.last < drawEvery) return;
      this.#line.draw(barText(work.label, work.amount, this.#pace(work, elapsed), this.#line));
    } else {
      const pause = Math.min(Math.max(elapsed / 10, LINE_EVERY), LINE_AT_LEAST);
      if (work.last === undefined ? elapsed < FIRST_LINE : now - work.last < pause) return;
      const text = plainText(work.label, work.amount, this.#pace(work, elapsed));
      if (text !== this.#printed) this.#line.print(text);
      this.#printed = text;
    }
    work.last = now;
  }

  #pace({ amount, doneBefore }: Work, elapsedMs: number): Pace {
    const seconds = elapsedMs / 1000;
    const rate = amount && seconds > 0 ? (amount.done - doneBefore) / seconds : 0;
    const left = amount?.total !== undefined && rate > 0 ? (amount.total - amount.done) / rate : undefined;
    return { seconds, rate, left };
  }
}

interface Pace {
  readonly seconds: number;
  /** Of the unit, a second. */
  readonly rate: number;
  /** Seconds. */
  readonly left: number | undefined;
}

/** "decoding: 12/80 pictures, 3.1/s, 22 s left"; without an amount "opening models/mine, 12 s". */
export function plainText(label: string, amount: Amount | undefined, pace: Pace): string {
  const parts = measures(amount, pace);
  return amount ? `${label}: ${parts.join(", ")}` : [label, ...parts].join(", ");
}

/** "decoding  ██████░░░░░░░░  12/80 pictures  3.1/s  22 s left", shorter than the terminal is wide. */
export function barText(
  label: string,
  amount: Amount | undefined,
  pace: Pace,
  { columns, colors, blocks }: Pick<StatusLine, "columns" | "colors" | "blocks">,
): string {
  const rest = measures(amount, pace).join("  ");
  const space = columns - 1 - label.length - rest.length - 4;
  if (amount?.total === undefined || space < SHORTEST_BAR) return `${label}  ${rest}`.slice(0, columns - 1);
  const width = Math.min(BAR, space);
  const full = Math.round(width * Math.min(Math.max(amount.done / Math.max(amount.total, 1e-9), 0), 1));
  const [on, off] = blocks ? (["█", "░"] as const) : (["#", "-"] as const);
  const bar = [on.repeat(full), off.repeat(width - full)];
  return `${label}  ${colors ? `\x1b[36m${bar[0]}\x1b[2m${bar[1]}\x1b[0m` : bar.join("")}  ${rest}`;
}

function measures(amount: Amount | undefined, { seconds, rate, left }: Pace): string[] {
  if (!amount) return seconds < 1 ? [] : [duration(seconds)];
  const { done, total, unit = "" } = amount;
  const bytes = unit === "bytes";
  const number = (x: number): string => (bytes ? formatBytes(Math.round(x)) : formatDone(x));
  const count = total === undefined ? number(done) : `${number(done)}/${number(total)}`;
  const waiting = rate === 0 && seconds >= 1;
  return [
    bytes || unit === "" ? count : `${count} ${unit}`,
    ...(waiting ? [duration(seconds)] : []),
    ...(rate > 0 ? [bytes ? `${formatBytes(Math.round(rate))}/s` : formatRate(rate)] : []),
    ...(left === undefined ? [] : [`${duration(left)} left`]),
  ];
}

/** "12"; of a few items, fractions too: "0.4" of a picture. */
function formatDone(done: number): string {
  return Number.isInteger(done) || done >= 10 ? String(Math.floor(done)) : done.toFixed(1);
}

/** "12.3/s", "245/s"; below one a second, the time of each: "8.4 s each". */
function formatRate(perSecond: number): string {
  const each = 1 / perSecond;
  if (each > 1) return each < 60 ? `${each.toPrecision(2)} s each` : `${duration(each)} each`;
  return `${perSecond < 100 ? perSecond.toPrecision(3) : Math.round(perSecond)}/s`;
}

/** "9 s", "2 min 5 s", "3 h 20 min". */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  const m = Math.floor(s / 60);
  return m < 60 ? `${m} min ${s % 60} s` : `${Math.floor(m / 60)} h ${m % 60} min`;
}
