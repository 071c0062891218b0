import { afterEach, expect, test } from "vitest";
import { InputError, SetupError } from "../base/errors.ts";
import { duration, progressText, Report, Reported } from "./report.ts";

class Screen {
  readonly isTTY: boolean;
  readonly columns = 40;
  written = "";
  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }
  write(text: string): boolean {
    this.written += text;
    return true;
  }
}

function reportOn(isTTY: boolean, quiet = false) {
  const stream = new Screen(isTTY);
  let time = 0;
  const report = new Report({ quiet, stream, now: () => time });
  const progress = (at: number, done: number, total?: number): void => {
    time = at;
    report.progress("painting", done, total);
  };
  return { stream, report, progress };
}

afterEach(() => {
  process.exitCode = undefined;
});

test("a terminal has one line that is drawn over, ten times a second at most", () => {
  const { stream, report, progress } = reportOn(true);
  progress(0, 0, 10);
  progress(50, 1, 10);
  progress(2000, 2, 10);
  progress(2050, 3, 10);
  expect(stream.written).toBe("\rpainting 2/10  1.00/s  8 s left\x1b[K");
  report.clear();
  report.clear();
  expect(stream.written).toBe("\rpainting 2/10  1.00/s  8 s left\x1b[K\r\x1b[K");
});

test("the bar never wraps, and makes room for a problem", () => {
  const { stream, report, progress } = reportOn(true);
  progress(0, 0, 10_000_000);
  progress(1000, 1, 10_000_000);
  expect(stream.written).toBe(`\r${"painting 1/10000000  1.00/s  2777 h 46 min left".slice(0, 39)}\x1b[K`);
  stream.written = "";
  report.problem(new InputError("a.png: damaged."));
  expect(stream.written).toBe("\r\x1b[Kseedling: a.png: damaged.\n");
});

test("elsewhere plain lines, five seconds apart", () => {
  const { stream, progress } = reportOn(false);
  for (let t = 0; t <= 11; t++) progress(t * 1000, t * 2);
  expect(stream.written).toBe("painting 10  2.00/s\npainting 20  2.00/s\n");
});

test("quiet: problems only", () => {
  const { stream, report, progress } = reportOn(true, true);
  progress(0, 0, 10);
  progress(5000, 2, 10);
  report.note("wrote a.png");
  expect(stream.written).toBe("");
  report.problem(new InputError("a.png: damaged."));
  expect(stream.written).toBe("seedling: a.png: damaged.\n");
});

test("the exit code is that of the problems; 3 if they differ; none if there was none", () => {
  reportOn(false).report.finish(0);
  expect(process.exitCode).toBeUndefined();

  const { stream, report } = reportOn(false);
  report.problem(new SetupError("a.png: no such file."));
  report.finish(4);
  expect(process.exitCode).toBe(4);
  report.problem(new InputError("b.png: damaged."));
  report.finish(4);
  expect(process.exitCode).toBe(3);
  expect(stream.written).toMatch(/seedling: 2 of 6 inputs were skipped\.\n$/);
});

test("problems with everything end the command", () => {
  const { report } = reportOn(false);
  report.problem(new SetupError("a.png: no such file."));
  expect(() => report.finish(0)).toThrow(expect.objectContaining({ constructor: Reported, exitCode: 4 }));
});

test("a bug is no problem of the input", () => {
  const bug = new TypeError("x is undefined");
  expect(() => reportOn(false).report.problem(bug)).toThrow(bug);
});

test("texts", () => {
  expect(progressText("reading", 0, 5, 0)).toBe("reading 0/5  0.00/s");
  expect(progressText("reading", 1.9, 5, 1)).toBe("reading 1/5  1.90/s  2 s left");
  expect([59.4, 60, 125, 3600, 12_000].map(duration)).toEqual([
    "59 s",
    "1 min 0 s",
    "2 min 5 s",
    "1 h 0 min",
    "3 h 20 min",
  ]);
});
